"""Rate limits, calendar counters and the holds on them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION
from coordination.scheduling.limits import NEVER, CalendarCounter, Gcra
from coordination.scheduling.periods import calendar_period, start_of_day

MINUTE = 60 * MILLION


def micros(text: str, zone: str = "UTC") -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return int(moment.astimezone(UTC).timestamp()) * MILLION


def bucket(limit: int = 600, burst: int | None = None, now: int = 0) -> Gcra:
    return Gcra(("quota", "q", "requests", "1m"), limit, MINUTE, limit if burst is None else burst, now)


ARRIVALS = st.lists(st.tuples(st.integers(0, 30 * MILLION), st.integers(1, 400)), max_size=80)


@settings(max_examples=100, deadline=None)
@given(ARRIVALS, st.integers(1, 1000), st.integers(1, 1000))
def test_no_window_ever_admits_more_than_burst_plus_rate(arrivals, limit, burst):
    meter, now = bucket(limit, burst), 0
    admitted: list[tuple[int, int]] = []
    for gap, amount in arrivals:
        now += gap
        amount = min(amount, burst)
        if not meter.wait(amount, now):
            meter.take(amount, now)
            admitted.append((now, amount))
    for first, (since, _) in enumerate(admitted):
        total = 0
        for at, amount in admitted[first:]:
            total += amount
            assert total * MINUTE <= burst * MINUTE + limit * (at - since)


@settings(max_examples=100, deadline=None)
@given(ARRIVALS, st.integers(1, 400))
def test_the_wait_told_is_exact_to_the_microsecond(arrivals, amount):
    meter, now = bucket(), 0
    for gap, taken in arrivals:
        now += gap
        meter.take(taken, now)
    wait = meter.wait(amount, now)
    assert not meter.wait(amount, now + wait)
    if wait:
        assert meter.wait(amount, now + wait - 1) == 1


def test_a_hold_larger_than_the_burst_passes_when_the_bucket_is_empty_and_leaves_a_debt():
    meter = bucket(limit=60)
    assert meter.wait(1000, 0) == 0
    meter.take(1000, 0)
    assert meter.remaining(0) == 0
    assert meter.wait(1, 0) == (1000 - 59) * MILLION


def test_settling_gives_back_what_was_not_used():
    meter = bucket()
    meter.take(600, 0)
    assert meter.wait(1, 0)
    meter.correct(-400, 0, 0)
    assert meter.remaining(0) == 400


def test_a_hold_that_has_drained_away_is_not_refunded_out_of_others_charges():
    meter = bucket()
    meter.take(600, 0)
    later = MINUTE
    meter.take(600, later)  # the bucket was empty again: somebody else's
    meter.correct(-600, 0, later)
    assert meter.wait(1, later), "else 1200 would pass at one instant"


def test_settling_above_the_hold_always_counts():
    meter = bucket()
    meter.take(10, 0)
    meter.correct(90, 0, 2 * MINUTE)
    assert meter.remaining(2 * MINUTE) == 510


def test_a_new_limit_keeps_the_level_and_clips_it_to_the_new_burst():
    meter = bucket(600)
    meter.take(500, 0)
    meter.resize(1200, 1200, 0)
    assert meter.remaining(0) == 700
    meter.resize(100, 100, 0)
    assert meter.remaining(0) == 0
    assert meter.wait(1, 0) == MINUTE // 100


def test_a_limit_of_nothing_never_has_room():
    assert bucket(limit=0).wait(1, 0) == NEVER
    counter = CalendarCounter(("quota", "q", "requests", "day"), 0, "day", "UTC", 0)
    assert counter.wait(1, 0) == NEVER


def test_a_calendar_counter_starts_anew_at_the_tenants_own_midnight():
    start = micros("2026-03-10T12:00:00", "Asia/Tokyo")
    counter = CalendarCounter(("quota", "q", "total_tokens", "day"), 100, "day", "Asia/Tokyo", start)
    counter.take(100, start)
    assert counter.wait(1, start) == 12 * 3600 * MILLION
    assert counter.wait(1, start + 12 * 3600 * MILLION) == 0


def test_a_hold_settles_in_its_own_period():
    start = micros("2026-03-10T23:59:59")
    counter = CalendarCounter(("quota", "q", "total_tokens", "day"), 100, "day", "UTC", start)
    counter.take(60, start)
    tomorrow = start + 2 * MILLION
    counter.take(30, tomorrow)
    counter.correct(-60, start, tomorrow)
    assert counter.remaining(tomorrow) == 70, "yesterday's refund does not fill today"


@pytest.mark.parametrize(
    ("zone", "day", "starts"),
    [
        ("UTC", date(2026, 1, 1), "2026-01-01T00:00:00+00:00"),
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00+00:00"),
        ("Europe/Berlin", date(2026, 3, 30), "2026-03-29T22:00:00+00:00"),
        # Cairo goes from 00:00 to 01:00: the first valid instant of the day is 01:00.
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00:00+00:00"),
        # Havana has 00:00 twice: the first of the two.
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00:00+00:00"),
        # Samoa skipped the 30th of December 2011: it has no first instant of its own.
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00:00+00:00"),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00:00+00:00"),
    ],
)
def test_a_day_begins_at_its_first_valid_instant(zone, day, starts):
    expected = int(datetime.fromisoformat(starts).timestamp()) * MILLION
    assert start_of_day(zone, day) == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Havana", "Africa/Cairo", "Asia/Kathmandu"])
@pytest.mark.parametrize("per", ["day", "month"])
def test_periods_tile_time_without_gap_or_overlap(zone, per):
    now = micros("2026-01-01T12:00:00")
    for _ in range(400 if per == "day" else 14):
        start, end = calendar_period(zone, per, now)
        assert start <= now < end
        assert calendar_period(zone, per, start) == (start, end)
        assert calendar_period(zone, per, end - 1) == (start, end)
        now = end
