"""Which pointers need their time renewed? Those past half of their life; called every few seconds."""

from __future__ import annotations

import logging
import time

from django.db import transaction

from delivery.models import Pointer
from delivery.pointers import MICROS, advance

log = logging.getLogger(__name__)


def renew_due(*, now_us: int | None = None) -> int:
    """Renew each pointer that is due, one transaction each; returns how many."""
    now = time.time_ns() // 1000 if now_us is None else now_us
    renewed = 0
    for pointer in Pointer.objects.select_related("ring__environment"):
        half = pointer.ring.environment.pointer_lifetime * MICROS // 2
        if now < pointer.expires_at - half:
            continue
        with transaction.atomic():
            advance(ring=pointer.ring, reason="heartbeat")
        renewed += 1
    return renewed
