"""When does anything of a policy begin or end, and what do limits come to at an instant? (R1)"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter

import msgspec

from coordination.program.records import LimitRecord, Micros, ProgramRecords, QuotaRecord

Intervals = tuple[tuple[Micros, Micros | None], ...]
"""Half-open, sorted, disjoint; ``None`` = open end."""


DAY: Micros = 86_400_000_000
SIGHT: Micros = 400 * DAY
"""How far beyond its ``at`` a build says when something recurs (R2)."""


def recurrences_end(records: ProgramRecords) -> Micros | None:
    """The instant from which nothing recurs any more under this build; None when nothing does.

    What has no end goes on. A daily build moves the instant on, so it is far unless builds have stopped. A
    window recurs if it holds several times, or without a break until the end of what is in sight.
    """
    end = records.at + SIGHT
    held = [each.intervals for each in records.reservations]
    held += [each for quota in records.quotas for each in _scheduled(quota)]
    recurs = any(
        len(each) > 1 or any(until is not None and end <= until <= end + 2 * DAY for _, until in each)
        for each in held
    )
    return end if recurs else None


def boundaries(records: ProgramRecords) -> list[Micros]:
    """Every instant at which something starts or stops being in force."""
    instants: set[Micros] = set()
    # Compiled together, what has the same hours holds the same tuple: each is gone through once.
    distinct = {id(held.intervals): held.intervals for held in records.reservations}
    distinct |= {id(each): each for quota in records.quotas for each in _scheduled(quota)}
    for intervals in distinct.values():
        for since, until in intervals:
            instants.add(since)
            if until is not None:
                instants.add(until)
    for book in records.price_books:
        instants.update(entry.start for entry in book.entries)
    return sorted(instants)


def holds(intervals: Intervals, now: Micros) -> bool:
    """Whether one of the intervals holds an instant."""
    position = bisect_right(intervals, now, key=itemgetter(0)) - 1
    if position < 0:
        return False
    until = intervals[position][1]
    return until is None or now < until


def changing(quotas: Iterable[QuotaRecord]) -> tuple[QuotaRecord, ...]:
    """The quotas of which some limit is ever changed."""
    return tuple(quota for quota in quotas if any(limit.scheduled for limit in quota.limits))


def limits_at(
    quotas: Iterable[tuple[str, tuple[LimitRecord, ...]]], now: Micros
) -> dict[str, tuple[LimitRecord, ...]]:
    """The limits of each quota (name, all it says of them) as they are at an instant."""
    return {name: tuple(_at(limit, now) for limit in limits) for name, limits in quotas}


def _at(limit: LimitRecord, now: Micros) -> LimitRecord:
    for change in limit.scheduled:
        if holds(change.intervals, now):
            return msgspec.structs.replace(limit, limit=change.limit, scheduled=())
    return limit


def _scheduled(quota: QuotaRecord) -> list[Intervals]:
    return [change.intervals for limit in quota.limits for change in limit.scheduled]
