"""What do a minute's batches come to? Its rows are made anew whenever a batch of it has come."""

from __future__ import annotations

from django.db import transaction

from foundation.locking import locked
from telemetry.models.series import DirtyMinute
from telemetry.series import store
from telemetry.series.tally import Tally

SETTLED_AFTER = 5
"""Seconds after its end that a minute is first added up."""
MOST = 200
"""Minutes in one sweep."""


def roll_up(now: int) -> int:
    """Add up every minute that is over and not added up yet; returns how many."""
    waiting = DirtyMinute.objects.filter(minute__lte=(now - SETTLED_AFTER) // 60 - 1)
    done = 0
    for environment, minute in list(waiting.values_list("environment", "minute")[:MOST]):
        with transaction.atomic():
            done += _roll_up(environment, minute)
    return done


def _roll_up(environment: str, minute: int) -> int:
    """Whoever adds a batch meanwhile waits for this row, and makes it anew: the minute is looked at again."""
    held = locked(DirtyMinute.objects.filter(environment=environment, minute=minute)).first()
    if held is None:
        return 0
    held.delete()
    tallies: dict[tuple[str, str, str, str], Tally] = {}
    queues: dict[tuple[str, int], dict[int, tuple[int, int]]] = {}
    for placed in store.batches(environment, minute * 60, (minute + 1) * 60):
        for series in placed.batch.series:
            key = (series.tenant, series.tier, series.model, series.pool)
            tallies.setdefault(key, Tally()).add(series)
        for queue in placed.batch.queues:
            seconds = queues.setdefault((queue.pool, queue.band), {})
            depth, oldest = seconds.get(placed.second, (0, 0))
            seconds[placed.second] = (depth + queue.depth, max(oldest, queue.oldest_us))
    store.replace_minute(
        environment, minute, tallies, {key: list(seen.values()) for key, seen in queues.items()}
    )
    return 1
