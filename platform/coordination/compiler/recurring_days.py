"""Which days does a recurrence rule name? (RFC 5545, for whole days)

Each day is asked in turn, so that a rule that names none takes no longer than one that names all. A rule
is checked by its notation; a part that it leaves out comes from the day it is counted from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
BY_DAY = re.compile(r"(-?[0-9]+)?([A-Z]{2})")
ONE_DAY = timedelta(days=1)


class _Rule(NamedTuple):
    """A rule with the day it is counted from."""

    frequency: str
    interval: int
    months: frozenset[int]
    month_days: frozenset[int]
    week_days: frozenset[tuple[int, int]]
    """(which one, weekday); 0 stands for every."""
    positions: frozenset[int]
    week_start: int
    origin: date


def days(rule: str, origin: date, first: date, last: date) -> Iterator[date]:
    """The days of a rule from ``first`` to ``last``, none of them before ``origin``."""
    read = _read(rule, origin)
    day = max(first, origin)
    if not read.positions:
        while day <= last:
            if _names(read, day):
                yield day
            day += ONE_DAY
        return
    while day <= last:
        begin, end = _period(read, day)
        members = [each for each in _each(begin, end) if _names(read, each)]
        count = len(members)
        chosen = {p - 1 if p > 0 else count + p for p in read.positions}
        for i, each in enumerate(members):
            if i in chosen and day <= each <= last:
                yield each
        day = end


def _read(rule: str, origin: date) -> _Rule:
    parts = dict(part.split("=") for part in rule.split(";"))
    frequency = parts["FREQ"]
    months = frozenset(map(int, _listed(parts, "BYMONTH")))
    month_days = frozenset(map(int, _listed(parts, "BYMONTHDAY")))
    week_days = frozenset(
        (int(found[1] or 0), WEEKDAYS[found[2]])
        for word in _listed(parts, "BYDAY")
        for found in [BY_DAY.fullmatch(word)]
        if found is not None
    )
    if not month_days and not week_days:
        if frequency == "WEEKLY":
            week_days = frozenset({(0, origin.weekday())})
        elif frequency != "DAILY":
            month_days = frozenset({origin.day})
            if frequency == "YEARLY" and not months:
                months = frozenset({origin.month})
    return _Rule(
        frequency,
        int(parts.get("INTERVAL", 1)),
        months,
        month_days,
        week_days,
        frozenset(map(int, _listed(parts, "BYSETPOS"))),
        WEEKDAYS[parts.get("WKST", "MO")],
        origin,
    )


def _listed(parts: dict[str, str], key: str) -> list[str]:
    return parts[key].split(",") if key in parts else []


def _names(rule: _Rule, day: date) -> bool:
    """Whether a day is one of the rule's, before positions are looked at."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.interval != 1 and _periods_since_origin(rule, day) % rule.interval:
        return False
    if rule.month_days and not ({day.day, day.day - _length(day) - 1} & rule.month_days):
        return False
    return not rule.week_days or _on_week_day(rule, day)


def _periods_since_origin(rule: _Rule, day: date) -> int:
    match rule.frequency:
        case "DAILY":
            return (day - rule.origin).days
        case "WEEKLY":
            return (_week(day, rule.week_start) - _week(rule.origin, rule.week_start)).days // 7
        case "MONTHLY":
            return (day.year - rule.origin.year) * 12 + day.month - rule.origin.month
    return day.year - rule.origin.year


def _on_week_day(rule: _Rule, day: date) -> bool:
    weekday = day.weekday()
    if (0, weekday) in rule.week_days:
        return True
    if rule.frequency == "YEARLY" and not rule.months:
        ahead = day.timetuple().tm_yday
        length = (date(day.year, 12, 31) - date(day.year, 1, 1)).days + 1
    else:
        ahead, length = day.day, _length(day)
    from_start, from_end = (ahead - 1) // 7 + 1, -((length - ahead) // 7 + 1)
    return (from_start, weekday) in rule.week_days or (from_end, weekday) in rule.week_days


def _period(rule: _Rule, day: date) -> tuple[date, date]:
    """The day, week, month or year that holds a day; half-open."""
    match rule.frequency:
        case "DAILY":
            return day, day + ONE_DAY
        case "WEEKLY":
            begin = _week(day, rule.week_start)
            return begin, begin + 7 * ONE_DAY
        case "MONTHLY":
            begin = day.replace(day=1)
            return begin, begin + timedelta(days=_length(day))
    return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def _each(begin: date, end: date) -> Iterator[date]:
    while begin < end:
        yield begin
        begin += ONE_DAY


def _week(day: date, start: int) -> date:
    """The first day of the week that holds a day."""
    return day - timedelta(days=(day.weekday() - start) % 7)


def _length(day: date) -> int:
    """How many days the month of a day has."""
    after = day.replace(day=28) + timedelta(days=4)
    return (after - timedelta(days=after.day)).day
