"""The foundation's sweeps."""

from __future__ import annotations

from celery import shared_task

from foundation import outbox
from foundation.http import idempotency


@shared_task(name="foundation.drain_outbox")
def drain_outbox() -> int:
    """Deliver what a lost wake-up or a killed drainer left; returns how many events were delivered."""
    return outbox.drain().done


@shared_task(name="foundation.prune")
def prune() -> int:
    """Forget delivered events and answered requests once nobody needs them; returns how many."""
    return outbox.prune() + idempotency.prune()
