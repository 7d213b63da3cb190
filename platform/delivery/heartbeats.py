"""Which pointers need their time renewed? Those past half of their life; called every few seconds."""

from __future__ import annotations

import logging
import time

from django.db import transaction

from delivery.models import Pointer
from delivery.pointers import MICROS, advance

log = logging.getLogger(__name__)

_renewed: dict[int, float] = {}
"""Ring -> when this process last renewed its pointer, on a clock nobody sets."""


def renew_due(*, now_us: int | None = None, mono: float | None = None) -> int:
    """Renew each pointer that is due, one transaction each; returns how many.

    Gateways count a pointer's age from when it reached them. So one that was signed in what is now the
    future, because the clock was set back, is renewed as often as any other, and not once that time comes.
    """
    now = time.time_ns() // 1000 if now_us is None else now_us
    ticks = time.monotonic() if mono is None else mono
    renewed = 0
    for pointer in Pointer.objects.select_related("ring__environment"):
        half = pointer.ring.environment.pointer_lifetime * MICROS // 2
        if now < pointer.expires_at - half and not (
            pointer.issued_at > now and ticks - _renewed.get(pointer.ring_id, -MICROS) >= half / MICROS
        ):
            continue
        with transaction.atomic():
            advance(ring=pointer.ring, reason="heartbeat")
        _renewed[pointer.ring_id] = ticks
        renewed += 1
    return renewed
