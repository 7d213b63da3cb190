"""How does an event come to be? With the transaction that makes it true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from foundation.outbox.models import OutboxEvent
from foundation.outbox.registry import wake


def emit(topic: str, payload: Mapping[str, Any], *, key: str = "") -> OutboxEvent:
    """Write an event; drainers in this process are woken once the transaction has committed."""
    if not connection.in_atomic_block:
        raise RuntimeError("an event belongs to the transaction that makes it true")
    now = timezone.now()
    event = OutboxEvent.objects.create(
        topic=topic, key=key, payload=dict(payload), created=now, not_before=now
    )
    transaction.on_commit(wake)
    return event
