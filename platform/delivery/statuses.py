"""What becomes of a gateway's report? Its newest word is kept; older ones that arrive late are not."""

from __future__ import annotations

import time

import msgspec
from django.utils import timezone

from coordination.wire.status import Status
from delivery import releases
from delivery.models import GatewayState
from fleet.models import Gateway


def record(gateway: str, status: Status, received_us: int) -> None:
    """Keep ``status`` as the gateway's newest, and see whether a release is done. In a transaction."""
    owner = Gateway.objects.filter(pk=gateway, retired_at=None).select_related("ring__environment").first()
    if owner is None:
        return
    before = GatewayState.objects.filter(gateway=owner).first()
    if before is not None and before.boot_id == status.boot_id and before.seq >= status.seq:
        return
    error = status.error
    GatewayState.objects.update_or_create(
        gateway=owner,
        defaults={
            "boot_id": status.boot_id,
            "seq": status.seq,
            "state": status.state,
            "serial": status.serial,
            "version": status.version,
            "desired": status.desired,
            "attempted": status.attempted,
            "applied": status.applied,
            "applied_directory": status.applied_directory,
            "error_code": error.code if error else "",
            "error": msgspec.to_builtins(error) if error else {},
            "timings": dict(status.timings),
            "capabilities": list(status.capabilities),
            "clock_skew": status.sent_at - received_us,
            "reported_at": timezone.now(),
        },
    )
    releases.note_progress(environment=owner.ring.environment)


def now_us() -> int:
    return time.time_ns() // 1000
