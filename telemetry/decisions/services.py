"""How are explanations kept? Each once, however often it is told of."""

from __future__ import annotations

from django.db import transaction

from coordination.wire.decisions import Batch
from telemetry.decisions.models import KeptDecision, UnexplainedRefusals

TRUSTED_SKEW_US = 5_000_000
"""Clocks that differ by less are taken for equal: a message on its way explains that much."""


@transaction.atomic
def record(*, environment: str, gateway: str, batch: Batch, received_us: int) -> int:
    """Keep what ``batch`` tells of; returns how many explanations it held. A repeat changes nothing."""
    ahead = batch.sent_at - received_us
    skew = ahead if abs(ahead) > TRUSTED_SKEW_US else 0
    KeptDecision.objects.bulk_create(
        [
            KeptDecision(
                environment=environment,
                gateway=gateway,
                request_id=told.request_id,
                reason=told.reason,
                at_us=told.at - skew,
                tenant=told.tenant,
                tier=told.tier,
                model=told.model,
                code=told.code or "",
                document=bytes(told.document).decode(),
            )
            for told in batch.decisions
        ],
        ignore_conflicts=True,
    )
    UnexplainedRefusals.objects.bulk_create(
        [
            UnexplainedRefusals(
                environment=environment,
                gateway=gateway,
                boot_id=batch.boot_id,
                seq=batch.seq,
                code=code,
                count=count,
                at_us=received_us,
            )
            for code, count in batch.left_out.items()
            if count
        ],
        ignore_conflicts=True,
    )
    return len(batch.decisions)
