"""Recurring windows against brute force: every minute is asked what the clocks on the wall show."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from unittest.mock import patch

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coordination.compiler.recurring_days import days
from coordination.compiler.windows import HORIZON, Interval, intervals
from coordination.program.records import MILLION, Micros
from coordination.spec import SourceFile, read
from coordination.spec.finding import Misread
from coordination.spec.kinds.reservation import Window
from coordination.spec.recurrence import DAYS, Hours, HoursNotation, Recurrence, needs_start
from coordination.spec.zones import zone_info

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE: Micros = 60 * MILLION
DAY: Micros = 1440 * MINUTE


def micros(text: str) -> Micros:
    return (datetime.fromisoformat(text).astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def some(*values: object) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=4, unique=True).map(
        lambda chosen: ",".join(map(str, chosen))
    )


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = {"FREQ": frequency}
    if draw(st.booleans()):
        parts["INTERVAL"] = str(draw(st.integers(1, 4)))
    if draw(st.booleans()):
        parts["BYMONTH"] = draw(some(*range(1, 13)))
    if frequency != "WEEKLY" and draw(st.booleans()):
        parts["BYMONTHDAY"] = draw(some(1, 2, 15, 28, 29, 30, 31, -1, -2, -31))
    if draw(st.booleans()):
        counted = [f"{n}{d}" for n in (1, 2, 5, -1, -3) for d in DAYS]
        # Not mixed: the other implementation wants a day to be of both sorts, RFC 5545 of either.
        plain = frequency in ("DAILY", "WEEKLY") or draw(st.booleans())
        parts["BYDAY"] = draw(some(*DAYS) if plain else some(*counted))
    if draw(st.booleans()):
        parts["BYSETPOS"] = draw(some(1, 2, -1, -2, 3))
    if draw(st.booleans()):
        parts["WKST"] = draw(st.sampled_from(DAYS))
    return Recurrence().parse(";".join(f"{key}={said}" for key, said in parts.items()))


@given(rules(), st.dates(date(2023, 1, 1), date(2028, 12, 31)), st.integers(0, 1200))
@settings(max_examples=400, deadline=None)
def test_the_days_of_a_rule_are_those_of_rfc_5545(rule: str, origin: date, ahead: int):
    """Against another implementation, which is slow where a rule names no day."""
    assume(not ("BYSETPOS" in rule and "WEEKLY" in rule))  # it counts only the rest of the first week
    first, last = origin + timedelta(days=ahead), origin + timedelta(days=ahead + 500)
    end = datetime.combine(last, time())
    other = rrulestr(f"{rule};UNTIL={end:%Y%m%dT%H%M%S}", dtstart=datetime.combine(origin, time()))
    found = list(days(rule, origin, first, last))
    with patch("dateutil.rrule.datetime.MAXYEAR", last.year):  # or it searches for ever where there is none
        assert found == [m.date() for m in other.between(datetime.combine(first, time()), end, inc=True)]


@given(rules(), st.dates(date(2023, 1, 1), date(2026, 12, 31)))
@settings(max_examples=100, deadline=None)
def test_a_rule_that_says_it_all_names_the_same_days_wherever_it_is_counted_from(rule: str, origin: date):
    assume(not needs_start(rule))
    first, last = date(2027, 2, 1), date(2028, 3, 1)
    assert list(days(rule, origin, first, last)) == list(days(rule, date(2026, 1, 1), first, last))


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kolkata"]


@lru_cache(maxsize=64)
def wall(zone: str, first: date) -> list[tuple[Micros, datetime]]:
    """What the clocks show at every quarter of an hour of six days."""
    info = UTC if zone == "UTC" else zone_info(zone)
    begin = datetime.combine(first - timedelta(days=3), time(), UTC)
    moments = [begin + timedelta(minutes=15 * n) for n in range(8 * 96)]
    return [
        ((m - EPOCH) // timedelta(microseconds=1), m.astimezone(info).replace(tzinfo=None)) for m in moments
    ]


def brute_force(day: date, hours: Hours, zone: str) -> tuple[Micros, Micros]:
    """From the first quarter that shows the beginning or later, to the last that shows the end; where none
    does, to the one after the last before it."""
    shown = wall(zone, day)
    start, end = (datetime.combine(day, time()) + timedelta(minutes=m) for m in hours)
    begun = next(instant for instant, local in shown if local >= start)
    ended = [instant for instant, local in shown if local == end]
    return begun, max(ended or [instant + 15 * MINUTE for instant, local in shown if local < end])


QUARTERS = st.integers(0, 95).map(lambda n: n * 15)
AROUND_CHANGES = st.sampled_from(
    [date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5),
     date(2026, 10, 4)]
)  # fmt: skip


@given(
    AROUND_CHANGES,
    QUARTERS,
    st.integers(1, 96),
    st.sampled_from(ZONES),
    st.sets(st.sampled_from(DAYS), min_size=1),
)
@settings(max_examples=150, deadline=None)
def test_a_window_is_in_force_exactly_when_the_wall_says_so(
    change: date, start: int, length: int, zone: str, on: set[str]
):
    hours = Hours(start, start + length * 15)
    at = micros(f"{change - timedelta(days=3)}T00:00:00Z")
    until = at + 6 * DAY
    window = Window(recurs=f"FREQ=WEEKLY;BYDAY={','.join(sorted(on))}", at=hours, zone=zone)
    found = intervals(window, at, until)
    week = [change + timedelta(days=n) for n in range(-6, 8)]
    expected = [brute_force(day, hours, zone) for day in week if DAYS[day.weekday()] in on]
    for instant in range(at, until, 15 * MINUTE):
        assert any(a <= instant < b for a, b in found) == any(a <= instant < b for a, b in expected)
    assert all(one.start < one.end for one in found)
    assert all(a.end < b.start for a, b in pairwise(found)), "those that touch are one"


def daily_in_berlin(hours: str) -> Window:
    return Window(at=HoursNotation().parse(hours), recurs="FREQ=DAILY", zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("hours", "day", "begins", "ends"),
    [
        ("02:30-06:00", "2026-03-29", "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"),
        ("00:30-02:30", "2026-03-29", "2026-03-28T23:30:00Z", "2026-03-29T01:00:00Z"),
        ("02:30-06:00", "2026-10-25", "2026-10-25T00:30:00Z", "2026-10-25T05:00:00Z"),
        ("00:30-02:30", "2026-10-25", "2026-10-24T22:30:00Z", "2026-10-25T01:30:00Z"),
        ("22:00-06:00", "2026-10-24", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
    ],
)
def test_a_gap_ends_at_its_first_instant_and_a_fold_is_taken_whole(
    hours: str, day: str, begins: str, ends: str
):
    window = daily_in_berlin(hours)
    found = intervals(window, micros(f"{day}T00:00:00Z") - DAY, micros(f"{day}T00:00:00Z") + DAY)
    assert Interval(micros(begins), micros(ends)) in found


def test_hours_within_a_gap_do_not_exist_that_day():
    window = daily_in_berlin("02:15-02:45")
    at = micros("2026-03-28T00:00:00Z")
    starts = [one.start for one in intervals(window, at, at + 3 * DAY)]
    assert starts == [micros("2026-03-28T01:15:00Z"), micros("2026-03-30T00:15:00Z")]


def test_bounds_cut_what_has_begun():
    window = Window(
        from_=micros("2026-06-01T12:00:00Z"), until=micros("2026-06-03T09:30:00Z"), recurs="FREQ=DAILY",
        at=Hours(9 * 60, 18 * 60),
    )  # fmt: skip
    assert intervals(window, 0, micros("2026-12-01T00:00:00Z")) == (
        Interval(micros("2026-06-01T12:00:00Z"), micros("2026-06-01T18:00:00Z")),
        Interval(micros("2026-06-02T09:00:00Z"), micros("2026-06-02T18:00:00Z")),
        Interval(micros("2026-06-03T09:00:00Z"), micros("2026-06-03T09:30:00Z")),
    )


def test_whole_days_in_a_row_are_one_stretch():
    at = micros("2026-06-01T00:00:00Z")
    [one] = intervals(Window(recurs="FREQ=DAILY", zone="Europe/Berlin"), at, at + 30 * DAY)
    assert one.start <= at
    assert one.end >= at + 30 * DAY


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;INTERVAL=999;BYMONTH=2"])
def test_a_rule_that_names_no_day_ends_with_what_is_in_sight(rule: str):
    assert list(days(rule, date(2026, 1, 31), date(2026, 2, 1), date(2027, 2, 5))) == []


def test_every_monday_and_the_first_are_every_monday():
    found = days("FREQ=MONTHLY;BYDAY=MO,1MO", date(2026, 6, 1), date(2026, 6, 1), date(2026, 6, 30))
    assert [day.day for day in found] == [1, 8, 15, 22, 29]


def test_dates_at_the_end_of_the_calendar_are_not_too_far():
    end = 2**53 - 1
    assert intervals(Window(recurs="FREQ=DAILY"), end - HORIZON, end)


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("freq=weekly; byday=mo,tu", "FREQ=WEEKLY;BYDAY=MO,TU"),
        ("BYDAY=-1FR;FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("FREQ=DAILY;INTERVAL=2", "FREQ=DAILY;INTERVAL=2"),
    ],
)
def test_a_rule_has_one_normal_form(said: str, normal: str):
    assert Recurrence().parse(said) == normal
    assert Recurrence().parse(normal) == normal


@pytest.mark.parametrize(
    "said",
    ["", "daily", "FREQ=HOURLY", "FREQ=DAILY;FREQ=DAILY", "BYDAY=MO", "FREQ=DAILY;UNTIL=20270101T000000Z",
     "FREQ=DAILY;COUNT=3", "FREQ=WEEKLY;BYDAY=1MO", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTHDAY=0",
     "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;BYDAY=" + ",".join(["MO"] * 200), 7, None],
)  # fmt: skip
def test_what_is_no_rule_of_days_is_refused(said: str):
    with pytest.raises(Misread):
        Recurrence().parse(said)


@pytest.mark.parametrize("said", ["9-18", "09:00", "24:00-06:00", "09:60-10:00", "09:00-25:00", 9, None])
def test_what_is_no_stretch_of_a_day_is_refused(said: str):
    with pytest.raises(Misread):
        HoursNotation().parse(said)


@pytest.mark.parametrize(
    ("window", "says"),
    [
        ('{at: "09:00-18:00"}', "the window has `at` but lacks `recurs`"),
        ("{zone: Europe/Berlin}", "the window has `zone` but lacks `recurs`"),
        ('{recurs: "FREQ=DAILY;INTERVAL=2"}', "the window lacks `from`"),
        ("{recurs: FREQ=MONTHLY}", "the window lacks `from`"),
        ("{recurs: FREQ=MONTHLY, from: 2026-01-05T00:00:00Z}", None),
        ("{recurs: FREQ=DAILY}", None),
    ],
)
def test_a_window_says_what_its_rule_depends_on(window: str, says: str | None):
    text = f"""\
apiVersion: headway/v1
kind: Reservation
metadata: {{name: r}}
spec:
  {{tenant: t, pool: p, tier: x, throughput: {{input: 1 tokens/min, output: 1 tokens/min}}, window: {window}}}
"""
    _, found = read([SourceFile("r.yaml", text.encode())])
    assert [d.message for d in found] == ([says] if says else [])
