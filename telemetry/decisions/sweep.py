"""When is an explanation forgotten? After its days, or when there are too many; a bounded piece at a time."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Max, Model

from telemetry.decisions.models import KeptDecision, UnexplainedRefusals

DAY_US = 86_400_000_000
CHUNK = 2_000
"""Rows of one deletion: no lock is held longer than these take."""
MOST_CHUNKS = 25
"""Of one sweep. What is left waits for the next one, a minute later."""


def sweep(now_us: int) -> int:
    """Forget what is older than ``HEADWAY_DECISIONS_DAYS`` or beyond ``HEADWAY_DECISIONS_MOST`` rows.

    Returns how many rows went.
    """
    oldest = now_us - settings.HEADWAY_DECISIONS_DAYS * DAY_US
    newest = KeptDecision.objects.aggregate(newest=Max("id"))["newest"] or 0
    gone, chunks = 0, MOST_CHUNKS
    for model, beyond in (
        (KeptDecision, {"at_us__lt": oldest}),
        # Ids grow with time and have no gaps to speak of: counting a million rows would cost more.
        (KeptDecision, {"id__lte": newest - settings.HEADWAY_DECISIONS_MOST}),
        (UnexplainedRefusals, {"at_us__lt": oldest}),
    ):
        taken, chunks = _delete(model, beyond, chunks)
        gone += taken
    return gone


def _delete(model: type[Model], beyond: dict[str, int], chunks: int) -> tuple[int, int]:
    """What fits into ``chunks`` deletions; how many rows that were, and how many deletions are left."""
    gone = 0
    while chunks:
        ids = list(model._default_manager.filter(**beyond).order_by().values_list("pk", flat=True)[:CHUNK])
        if not ids:
            break
        model._default_manager.filter(pk__in=ids).delete()
        chunks -= 1
        gone += len(ids)
        if len(ids) < CHUNK:
            break
    return gone, chunks
