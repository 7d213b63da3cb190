"""Which beginnings and ends of recurring windows fall on a time that clocks skip, or show twice?"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.timed import Timed, recurring
from coordination.compiler.windows import (
    A_DAY,
    Clocks,
    Interval,
    bounds,
    clocks_of,
    days_between,
    local_instant,
    readings,
)
from coordination.program.records import Micros
from coordination.spec.zones import zone_info

ONE_DAY = timedelta(days=1)


class Odd(NamedTuple):
    """A time of a day that the clocks of a zone do not show just once."""

    timed: Timed
    edge: Literal["begins", "ends"]
    local: datetime
    zone: str
    instant: Micros
    """What it is taken for (R2)."""
    more: int
    """How many times the same happens later in sight."""

    @property
    def place(self) -> str:
        """The pointer of what says the time."""
        return f"{self.timed.place}/{'recurs' if self.timed.window.at is None else 'at'}"


def odd_times(catalogue: Catalogue, kind: Literal["skipped", "twice"]) -> Iterator[Odd]:
    """The first of each edge of each window, with the number of those to come."""
    at, horizon = catalogue.at, catalogue.horizon
    for each in recurring(catalogue):
        clocks = clocks_of(each.window)
        if clocks is None or clocks.zone == "UTC":
            continue
        start, end = bounds(each.window)
        since, until = max(start, at), min(end, horizon)
        windows = each.in_force(catalogue)
        for edge in ("begins", "ends"):
            found = [
                (local, instant)
                for local, instant, which in _of_clocks(clocks, edge, at, horizon)
                if which == kind and since <= instant < until and not _within(windows, instant)
            ]
            if found:
                (local, instant), more = found[0], len(found) - 1
                yield Odd(each, edge, local, clocks.zone, instant, more)


def _within(windows: tuple[Interval, ...], instant: Micros) -> bool:
    """Whether one day's end is another day's beginning there, so that nothing changes."""
    position = bisect_left(windows, (instant, 0)) - 1
    return position >= 0 and instant < windows[position].end


@functools.lru_cache(maxsize=4096)
def _of_clocks(
    clocks: Clocks, edge: Literal["begins", "ends"], at: Micros, horizon: Micros
) -> tuple[tuple[datetime, Micros, str], ...]:
    minutes = clocks.hours.start if edge == "begins" else clocks.hours.end
    changed = _changes(clocks.zone, at // (86_400 * 10**6), horizon // (86_400 * 10**6))
    found: list[tuple[datetime, Micros, str]] = []
    for shown_on in changed:
        day = shown_on - timedelta(days=minutes // A_DAY)
        if not any(days_between(clocks, day, day)):
            continue
        local = datetime.combine(day, time()) + timedelta(minutes=minutes)
        first, second = readings(local, clocks.zone)
        if first != second:
            instant = local_instant(day, minutes, clocks.zone, is_end=edge == "ends")
            found.append((local, instant, "skipped" if first > second else "twice"))
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _changes(zone: str, first_day: int, last_day: int) -> tuple[date, ...]:
    """Days on which the clocks of a zone are changed, and the days beside them."""
    info = zone_info(zone)
    day = date(1970, 1, 1) + timedelta(days=min(first_day, 2_800_000) - 3)
    last = date(1970, 1, 1) + timedelta(days=min(last_day, 2_800_000) + 3)
    found: dict[date, None] = {}
    before = datetime.combine(day, time(), UTC).astimezone(info).utcoffset()
    while day < last:
        after = datetime.combine(day + ONE_DAY, time(), UTC).astimezone(info).utcoffset()
        if after != before:
            found |= dict.fromkeys((day - ONE_DAY, day, day + ONE_DAY))
        before, day = after, day + ONE_DAY
    return tuple(found)
