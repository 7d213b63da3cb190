"""How do events reach their handlers, at least once, whatever dies meanwhile?

A drainer claims an event by moving its ``not_before`` on (a lease), runs the handlers outside any
transaction, and marks it done. If it dies, the lease runs out and another one claims the event.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from foundation.outbox.models import OutboxEvent
from foundation.outbox.registry import handlers_of

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""Longer than any handler takes; how late an event comes when its drainer was killed."""
LONGEST_PAUSE = timedelta(minutes=5)
KEPT = timedelta(days=7)
SHOWN = 2000
"""Characters of an error that are kept."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one pass did: events whose handlers all returned, and events to be tried again."""

    done: int
    failed: int


def drain(limit: int = 100) -> Drained:
    """Run the handlers of at most ``limit`` waiting events, oldest first.

    An event that fails waits 1, 2, 4 ... seconds, at most ``LONGEST_PAUSE``, and holds up no other.
    """
    done = failed = 0
    tried: set[int] = set()
    while len(tried) < limit:
        event = _claim(timezone.now(), tried)
        if event is None:
            break
        tried.add(event.pk)
        if _deliver(event):
            done += 1
        else:
            failed += 1
    return Drained(done, failed)


def take_over(now: datetime | None = None) -> int:
    """End every lease and pause: for the one drainer there is, whose predecessor may have been killed.

    Nobody else may be draining; returns how many events are due by it.
    """
    now = now or timezone.now()
    return OutboxEvent.objects.filter(done_at=None, not_before__gt=now).update(not_before=now)


def prune(now: datetime | None = None) -> int:
    """Drop events that were delivered more than ``KEPT`` ago; returns how many."""
    before = (now or timezone.now()) - KEPT
    count, _ = OutboxEvent.objects.filter(done_at__lt=before).delete()
    return count


@transaction.atomic
def _claim(now: datetime, tried: set[int]) -> OutboxEvent | None:
    """The oldest event that is due and nobody else's, leased to the caller."""
    waiting = OutboxEvent.objects.filter(done_at=None, not_before__lte=now).exclude(pk__in=tried)
    if connection.features.has_select_for_update_skip_locked:
        waiting = waiting.select_for_update(no_key=True, skip_locked=True)
    event = waiting.order_by("id").first()
    if event is None:
        return None
    # Guarded, so that without row locks (SQLite) a second drainer's claim finds nothing to change.
    free = OutboxEvent.objects.filter(pk=event.pk, done_at=None, not_before=event.not_before)
    if not free.update(not_before=now + LEASE, attempts=F("attempts") + 1):
        return None
    event.attempts += 1
    return event


def _deliver(event: OutboxEvent) -> bool:
    """Whether every handler returned. The row says so, or when to try again and why."""
    try:
        for handler in handlers_of(event.topic):
            handler(event.payload)
    except Exception as error:
        log.exception("outbox.handler_failed topic=%s id=%s", event.topic, event.pk)
        pause = min(timedelta(seconds=2 ** min(event.attempts - 1, 30)), LONGEST_PAUSE)
        OutboxEvent.objects.filter(pk=event.pk).update(
            not_before=timezone.now() + pause, error=f"{type(error).__name__}: {error}"[:SHOWN]
        )
        return False
    OutboxEvent.objects.filter(pk=event.pk).update(done_at=timezone.now(), error="")
    return True
