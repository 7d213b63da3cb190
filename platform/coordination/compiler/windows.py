"""In which stretches of time is a reservation in force? (R2)

A window with a recurrence is cut into half-open intervals of UTC, up to a horizon. Local times come from
the pinned zone data: a time that a change of clocks skips is the first instant after it; one that occurs
twice is the first of the two for a beginning, and the second for an end.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from typing import NamedTuple

from coordination.compiler.recurring_days import days
from coordination.program.records import MILLION, Micros
from coordination.program.timeline import SIGHT
from coordination.spec.kinds.reservation import Window
from coordination.spec.quantities import EPOCH, LARGEST
from coordination.spec.recurrence import WHOLE_DAY, Hours, needs_start
from coordination.spec.zones import zone_info

MINUTE: Micros = 60 * MILLION
DAY: Micros = 86_400 * MILLION
A_DAY = 24 * 60
"""Minutes."""
HORIZON: Micros = SIGHT
"""How far ahead a build looks unless told otherwise."""
LAST_DAY: Micros = 250_000_000_000 * MILLION
"""Calendars end with the year 9999; no instant later than this, in 9892, is given a local day."""


class Interval(NamedTuple):
    """Half-open, in UTC."""

    start: Micros
    end: Micros
    """``LARGEST`` when it never ends."""


_start_of = attrgetter("start")
_end_of = attrgetter("end")


class Clocks(NamedTuple):
    """What makes two recurring windows of different bounds the same inside them."""

    rule: str
    hours: Hours
    zone: str
    counted_from: Micros | None
    """The instant whose local day the rule is counted from, where that makes a difference."""


@functools.lru_cache(maxsize=4096)
def intervals(window: Window, at: Micros, horizon: Micros) -> tuple[Interval, ...]:
    """When a window is in force, sorted and disjoint.

    Without a recurrence that is the window itself, wherever it lies (none if it is empty). With one it
    is what lies between ``at`` and ``horizon``, two instants: an interval that has begun or has not
    ended there is whole.
    """
    start, end = bounds(window)
    clocks = clocks_of(window)
    if clocks is None:
        return (Interval(start, end),) if start < end else ()
    found = _occurrences(clocks, at, horizon)
    if not found or (found[0].start >= start and found[-1].end <= end):
        return found
    first = bisect_right(found, max(start, at), key=_end_of)
    last = bisect_left(found, end, key=_start_of)
    cut = (Interval(max(one.start, start), min(one.end, end)) for one in found[first:last])
    return tuple(one for one in cut if one.start < one.end)


def bounds(window: Window) -> tuple[Micros, Micros]:
    """The first and the last instant of a window; without a beginning, since 1970."""
    return window.from_ or 0, LARGEST if window.until is None else window.until


def clocks_of(window: Window) -> Clocks | None:
    """How a window recurs, if it does."""
    if window.recurs is None:
        return None
    counted_from = (window.from_ or 0) if needs_start(window.recurs) else None
    return Clocks(window.recurs, window.at or WHOLE_DAY, window.zone or "UTC", counted_from)


@functools.lru_cache(maxsize=4096)
def _occurrences(clocks: Clocks, at: Micros, horizon: Micros) -> tuple[Interval, ...]:
    """Every stretch of a rule's hours that meets [at, horizon); those that touch are one."""
    made: list[Interval] = []
    for day in days_in_sight(clocks, at, horizon):
        start = local_instant(day, clocks.hours.start, clocks.zone, is_end=False)
        end = local_instant(day, clocks.hours.end, clocks.zone, is_end=True)
        if start >= end or end <= at or start >= horizon:
            continue
        if made and start <= made[-1].end:
            made[-1] = Interval(made[-1].start, max(made[-1].end, end))
        else:
            made.append(Interval(start, end))
    return tuple(made)


def days_in_sight(clocks: Clocks, at: Micros, horizon: Micros) -> Iterator[date]:
    """Days whose hours can meet [at, horizon)."""
    first, last = _local_day(at, clocks.zone), _local_day(horizon, clocks.zone)
    return days_between(clocks, first - timedelta(days=2), last + timedelta(days=1))


def days_between(clocks: Clocks, first: date, last: date) -> Iterator[date]:
    """The days of a rule from one day to another."""
    if clocks.counted_from is None:
        # The rule names the same days wherever it is counted from, but for the first, partial period.
        origin = date(first.year - 1, 1, 1)
    else:
        origin = _local_day(clocks.counted_from, clocks.zone)
    return days(clocks.rule, origin, first, last)


def local_instant(day: date, minutes: int, zone: str, *, is_end: bool) -> Micros:
    """The instant at which clocks of a zone show a time of a day (R2 for times shown never or twice)."""
    midnight = _midnight(day + timedelta(days=minutes // A_DAY), zone)
    if midnight is not None:
        return midnight + minutes % A_DAY * MINUTE
    local = datetime.combine(day, time()) + timedelta(minutes=minutes)
    first, second = readings(local, zone)
    if first <= second:
        return second if is_end else first
    # Skipped: the two readings lie on either side of the change.
    info = zone_info(zone)
    low, high = second // MILLION, first // MILLION
    while low < high:
        middle = (low + high) // 2
        shown = datetime.fromtimestamp(middle, info).replace(tzinfo=None)
        low, high = (low, middle) if shown >= local else (middle + 1, high)
    return low * MILLION


@functools.lru_cache(maxsize=65536)
def _midnight(day: date, zone: str) -> Micros | None:
    """The instant a day begins, if its clocks run through from then to the next midnight."""
    first, again = readings(datetime.combine(day, time()), zone)
    ends, _ = readings(datetime.combine(day + timedelta(days=1), time()), zone)
    return first if first == again and ends - first == DAY else None


def readings(local: datetime, zone: str) -> tuple[Micros, Micros]:
    """A local time as the clock before a change has it, and as the clock after it: equal on other days.

    The first is the lesser for a time that is shown twice, and the greater for one that is skipped.
    """
    if zone == "UTC":
        instant = _micros(local.replace(tzinfo=UTC))
        return instant, instant
    info = zone_info(zone)
    first, second = (local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1))
    return _micros(first), _micros(second)


def _local_day(instant: Micros, zone: str) -> date:
    moment = EPOCH + timedelta(microseconds=min(instant, LAST_DAY))
    return moment.astimezone(UTC if zone == "UTC" else zone_info(zone)).date()


def _micros(moment: datetime) -> Micros:
    return (moment - EPOCH) // timedelta(microseconds=1)
