"""What was released, and what does each gateway run now? Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from delivery.models import GatewayState, Pointer, Release, Stage
from fleet.models import EnrolmentToken, Environment, Gateway, Ring
from fleet.selectors import rings
from foundation.http import NotFound

SILENT_AFTER = timedelta(seconds=30)
"""A gateway that lives reports every ten seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A gateway beside what its ring should run."""

    gateway: Gateway
    state: GatewayState | None
    """Its last word; ``None`` before its first."""
    pointer: Pointer | None
    age: timedelta | None
    """Since its last word."""

    @property
    def is_silent(self) -> bool:
        return self.age is None or self.age > SILENT_AFTER

    @property
    def in_step(self) -> bool:
        """It enforces the bundle and the directory its ring is pointed at."""
        return (
            self.state is not None
            and self.pointer is not None
            and self.state.applied == self.pointer.bundle
            and self.state.applied_directory == self.pointer.directory_id
        )


def environment(name: str) -> Environment:
    """Raises ``NotFound`` (``unknown_environment``)."""
    found = Environment.objects.filter(name=name).first()
    if found is None:
        raise NotFound(
            "unknown_environment",
            f"There is no environment `{name[:80]}`.",
            kind="Environment",
            name=name[:80],
        )
    return found


def releases(environment: str) -> QuerySet[Release]:
    """Newest first."""
    return Release.objects.filter(environment=environment)


def release(environment: str, version: int) -> Release:
    """Raises ``NotFound`` (``unknown_version``)."""
    found = releases(environment).filter(version=version).first()
    if found is None:
        raise NotFound("unknown_version", f"There is no release {version} in `{environment}`.")
    return found


def stages(release: Release) -> QuerySet[Stage]:
    return release.stages.select_related("ring")


def tokens(environment: str) -> QuerySet[EnrolmentToken]:
    return EnrolmentToken.objects.filter(ring__environment=environment).select_related("ring")


def gateways(environment: str, *, retired: bool = False) -> QuerySet[Gateway]:
    """With what each last said, and its ring's pointer. ``retired``: those too."""
    found = Gateway.objects.filter(ring__environment=environment)
    if not retired:
        found = found.filter(retired_at=None)
    return found.select_related("ring", "ring__pointer", "state")


def seen(gateway: Gateway, now: datetime) -> Seen:
    """From a row of ``gateways``."""
    state = _state(gateway)
    return Seen(
        gateway=gateway,
        state=state,
        pointer=_pointer(gateway.ring),
        age=None if state is None else max(timedelta(0), now - state.reported_at),
    )


def by_ring(environment: str, now: datetime) -> list[tuple[Ring, Pointer | None, Sequence[Seen]]]:
    """Every ring in the order of release, what it should run, and its gateways."""
    members: Mapping[int, list[Seen]] = defaultdict(list)
    for gateway in gateways(environment).order_by("name"):
        members[gateway.ring_id].append(seen(gateway, now))
    return [
        (ring, _pointer(ring), members[ring.pk])
        for ring in rings(environment).select_related("pointer__directory")
    ]


def _state(gateway: Gateway) -> GatewayState | None:
    try:
        return gateway.state
    except GatewayState.DoesNotExist:
        return None


def _pointer(ring: Ring) -> Pointer | None:
    try:
        return ring.pointer
    except Pointer.DoesNotExist:
        return None
