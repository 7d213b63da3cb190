"""At which instants is policy looked at? The shell's clock, read here and handed down."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

MICROS = 1_000_000


def midnight() -> datetime:
    """The start of today, UTC: where a build's timeline begins."""
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return int(moment.timestamp()) * MICROS + moment.microsecond
