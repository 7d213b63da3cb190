"""When did the tenant's day or month begin, and when does it end? (R2, R9)"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from coordination.program.records import MILLION, LimitPer, Micros

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_period(zone: str, per: LimitPer | Literal["day", "month"], now: Micros) -> tuple[Micros, Micros]:
    """[start, end) of the calendar day or month that holds ``now`` in an IANA zone."""
    today = (EPOCH + timedelta(microseconds=now)).astimezone(ZoneInfo(zone)).date()
    if per == "month":
        first = today.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
    else:
        first, following = today, today + timedelta(days=1)
    return start_of_day(zone, first), start_of_day(zone, following)


@lru_cache(maxsize=4096)
def start_of_day(zone: str, day: date) -> Micros:
    """First instant whose local date is ``day`` or later.

    Midnight may be skipped by a daylight-saving gap (first valid instant, R2) or occur twice (the
    first of the two); whole days have been skipped too. The local date never decreases but for a
    fold of at most a day, so the first instant is found by bisection around nominal midnight.
    """
    info = ZoneInfo(zone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=info)  # fold=0: the first of two
    guess = int((midnight.astimezone(UTC) - EPOCH).total_seconds())
    if (EPOCH + timedelta(seconds=guess)).astimezone(info).replace(tzinfo=None) == midnight.replace(
        tzinfo=None
    ):
        return guess * MILLION
    before, after = guess - 86_400, guess  # a gap: the transition lies at or before the guess
    while before < after:
        middle = (before + after) // 2
        if (EPOCH + timedelta(seconds=middle)).astimezone(info).date() >= day:
            after = middle
        else:
            before = middle + 1
    return before * MILLION
