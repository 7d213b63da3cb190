"""Limits that change by themselves: at their instant, with their levels, whatever the clocks do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.compiler import build
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.origins import place_of
from coordination.plan import Compiled, diff, diff_programs
from coordination.program.index import Program, load
from coordination.scheduling import activate, levels
from coordination.scheduling.limits import quota_key
from coordination.scheduling.state import State
from coordination.spec import SourceFile, read
from coordination.spec.quantities import read_instant
from tests.support.policies import NEW_YEAR_2026, diagnose, world_with, written

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
QUOTA = """\
spec:
  tenant: acme
  limits:
    - {of: requests, per: %s, limit: %s, scheduled: [%s]}"""


def policy(scheduled: str, per: str = "1m", limit: str = "600") -> list[SourceFile]:
    return world_with(written("Quota/q", QUOTA % (per, limit, scheduled)))


def compiled(scheduled: str, per: str = "1m", limit: str = "600", at: int = NEW_YEAR_2026) -> Compiled:
    policy_set, found = read(policy(scheduled, per, limit))
    assert [d.message for d in found] == []
    records, source_map, _, diagnostics = build(policy_set, environment="dev", at=at)
    assert records is not None, [d.message for d in diagnostics]
    return Compiled(records, source_map)


def program(scheduled: str, per: str = "1m", limit: str = "600") -> Program:
    return load(compiled(scheduled, per, limit).records)


def limit_at(held: Program, instant: str | int) -> int:
    now = read_instant(instant) if isinstance(instant, str) else instant
    return held.segment_at(now).limits_of(held.quotas["q"])[0].ceiling


CAMPAIGN = "{limit: 900, window: {from: 2026-06-01T00:00:00Z, until: 2026-06-08T00:00:00Z}}"
NIGHTS = '{limit: 3k, window: {recurs: "FREQ=DAILY", at: "%s", zone: Europe/Berlin}}'


@pytest.mark.parametrize(
    ("scheduled", "instant", "limit"),
    [
        ("", "2026-06-01T00:00:00Z", 600),
        (CAMPAIGN, "2026-05-31T23:59:59.999999Z", 600),
        (CAMPAIGN, "2026-06-01T00:00:00Z", 900),
        (CAMPAIGN, "2026-06-07T23:59:59.999999Z", 900),
        (CAMPAIGN, "2026-06-08T00:00:00Z", 600),
        # 22:00 to 06:00 in Berlin is 21:00Z in winter and 20:00Z in summer.
        (NIGHTS % "22:00-06:00", "2026-03-28T20:59:59.999999Z", 600),
        (NIGHTS % "22:00-06:00", "2026-03-28T21:00:00Z", 3_000),
        (NIGHTS % "22:00-06:00", "2026-03-29T03:59:59.999999Z", 3_000),
        (NIGHTS % "22:00-06:00", "2026-03-29T04:00:00Z", 600),
        (NIGHTS % "22:00-06:00", "2026-03-29T20:00:00Z", 3_000),
        # 02:30 is skipped on 29 March: the first valid instant is 01:00Z; on 25 October it comes twice.
        (NIGHTS % "02:30-06:00", "2026-03-29T00:59:59.999999Z", 600),
        (NIGHTS % "02:30-06:00", "2026-03-29T01:00:00Z", 3_000),
        (NIGHTS % "02:30-06:00", "2026-10-25T00:30:00Z", 3_000),
        (NIGHTS % "00:30-02:30", "2026-10-25T01:29:59.999999Z", 3_000),
        (NIGHTS % "00:30-02:30", "2026-10-25T01:30:00Z", 600),
    ],
)
def test_a_limit_is_what_is_scheduled_at_that_instant(scheduled, instant, limit):
    assert limit_at(program(scheduled), instant) == limit


def asked(state: State, now: int, count: int = 1) -> int:
    """How many of so many requests at one instant the limit has room for."""
    chain = state.plan(state.program, "acme", "standard", "llama-3-8b", now).chain
    passed = 0
    for _ in range(count):
        if all(meter.room(1, now) >= 0 for _, meter in chain.rates):
            for _, meter in chain.rates:
                meter.take(1, now)
            passed += 1
    return passed


JUNE = read_instant("2026-06-01T00:00:00Z")


@pytest.mark.parametrize("per", ["1m", "day"])
def test_a_gateway_changes_it_on_time_and_keeps_what_was_used(per):
    held = program(CAMPAIGN, per)
    state = State(held, "", 0, JUNE - 1)
    state.at(JUNE - 1)
    assert asked(state, JUNE - 1, 700) == 600, "the limit before"
    state.at(JUNE)
    assert asked(state, JUNE, 1_000) == (300 if per == "1m" else 900), (
        "a minute's level is kept; at midnight a new day has its own"
    )
    end = JUNE + 7 * DAY
    state.at(end - 1)
    assert asked(state, end - 1, 2_000) == 900
    state.at(end)
    meter = state.meters[quota_key("q", "requests", per)]
    assert meter.remaining(end) == (0 if per == "1m" else 600), "a level above the new burst is clipped to it"
    assert state.at(end + MINUTE).limits["q"][0].ceiling == 600


def test_an_activation_within_the_window_keeps_the_changed_limit():
    state = State(program(CAMPAIGN), "", 0, JUNE)
    state.at(JUNE)
    assert asked(state, JUNE, 450) == 450
    activate(state, program(CAMPAIGN, limit="100"), JUNE)
    assert asked(state, JUNE, 2_000) == 450, "of 900, whatever holds outside the window"
    (level,) = levels(state, "acme", JUNE).limits
    assert (level.limit, level.used) == (900, 900)
    (level,) = levels(state, "acme", JUNE + 7 * DAY).limits
    assert (level.limit, level.used) == (100, 0)


def test_what_is_shared_below_a_changed_limit_changes_with_it():
    tree = [
        written("Tenant/acme/a", "spec: {tiers: [standard]}"),
        written("Quota/q", QUOTA % ("1m", "600", CAMPAIGN)),
        written(
            "Quota/a",
            "spec: {tenant: acme/a, limits: [{of: requests, per: 1m, limit: 500, guaranteed: 100}]}",
        ),
    ]
    policy_set, _ = read(world_with("---\n".join(tree)))
    records, _, _, diagnostics = build(policy_set, environment="dev", at=NEW_YEAR_2026)
    assert records is not None, diagnostics
    held = load(records)
    pools = [
        held.segment_at(at).pledges["q", "requests", "1m"].pool for at in (JUNE - 1, JUNE, JUNE + 7 * DAY)
    ]
    assert pools == [500, 800, 500], "the limit less what is kept for the child"


HOURS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), min_size=1, max_size=3)


@given(HOURS)
@settings(max_examples=40, deadline=None)
def test_a_timeline_is_what_looking_at_every_hour_finds(stretches):
    day = "2026-06-%02dT%02d:00:00Z"
    written_as: list[str] = []
    taken: set[int] = set()
    expected: dict[int, int] = {}
    for i, (start, length) in enumerate(stretches):
        hours = set(range(start, start + length))
        if hours & taken:
            continue
        taken |= hours
        expected |= dict.fromkeys(hours, 1000 + i)
        ends = [day % (1 + h // 24, h % 24) for h in (start, start + length)]
        written_as.append(f"{{limit: {1000 + i}, window: {{from: {ends[0]}, until: {ends[1]}}}}}")
    held = program(", ".join(written_as))
    for hour in range(-1, 30):
        at = JUNE + hour * 60 * MINUTE
        for instant in (at, at + 60 * MINUTE - 1):
            assert limit_at(held, instant) == expected.get(hour, 600)


def test_its_numbers_come_from_where_they_are_written():
    files = policy(f"{CAMPAIGN}")
    policy_set, _ = read(files)
    catalogue = Catalogue(policy_set, "dev", NEW_YEAR_2026)
    source_map = compiled(CAMPAIGN).source_map
    for pointer, text in (
        ("/limits/0/scheduled/0/limit", "900"),
        ("/limits/0/scheduled/0/intervals/0/0", "2026-06-01"),
    ):
        place = place_of(catalogue, source_map, "Quota", "q", pointer)
        assert place is not None
        line = files[1].text.decode().splitlines()[place.line - 1]
        assert line[place.column - 1 :].startswith(text)


def test_changes_of_a_schedule_are_said_and_a_later_build_changes_nothing():
    sets = [read(policy(scheduled))[0] for scheduled in ("", CAMPAIGN)]
    sentence = (
        "acme: requests a minute scheduled none -> 900 from 2026-06-01T00:00:00Z until 2026-06-08T00:00:00Z"
    )
    for found in (
        diff(*sets, environment=None, at=NEW_YEAR_2026),
        diff_programs(compiled(""), compiled(CAMPAIGN)),
    ):
        assert [(c.sentence, c.category) for c in found.changes] == [(sentence, "moving")]
    for scheduled in (CAMPAIGN, NIGHTS % "22:00-06:00"):
        later = compiled(scheduled, at=NEW_YEAR_2026 + 200 * DAY)
        assert diff_programs(compiled(scheduled), later).changes == ()


@pytest.mark.parametrize(
    ("scheduled", "per", "limit", "code"),
    [
        (
            "{limit: 900, window: {from: 2026-06-08T00:00:00Z, until: 2026-06-01T00:00:00Z}}",
            "1m",
            "600",
            "TIME601",
        ),
        ("{limit: 900, window: {until: 2025-06-01T00:00:00Z}}", "1m", "600", "TIME602"),
        ('{limit: 900, window: {recurs: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}}', "1m", "600", "TIME604"),
        (NIGHTS % "02:30-06:00", "1m", "600", "TIME605"),
        (NIGHTS % "02:30-06:00", "1m", "600", "TIME606"),
        ("{limit: 900 USD, window: {from: 2026-06-08T00:00:00Z}}", "1m", "600", "SPEC007"),
        ("{limit: 50, window: {from: 2026-06-08T00:00:00Z}}", "1m", "600, guaranteed: 100", "CAP209"),
    ],
)
def test_its_windows_and_amounts_are_checked_as_any(scheduled, per, limit, code):
    found = [d for d in diagnose(policy(scheduled, per, limit)) if d.code == code]
    assert [d.json_pointer.startswith("/spec/limits/0/scheduled/0/") for d in found] == [True]
