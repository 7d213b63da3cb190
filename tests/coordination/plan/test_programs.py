"""Two bundles are compared as gateways read them: nothing is lost on the way back, and no more is claimed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.compiler import build
from coordination.compiler.catalogue import Catalogue
from coordination.compiler.lower import lower
from coordination.plan import Compiled, diff, diff_programs
from coordination.plan.in_force import cut, gained, hours_of
from coordination.plan.lifting import lift
from coordination.program.records import LimitRecord, ProgramRecords
from coordination.spec import SourceFile, read
from tests.support.policies import NEW_YEAR_2026, ROOT, world_with, written

DAY = 86_400_000_000
SCENARIOS = sorted(p.name for p in (ROOT / "examples").iterdir() if p.is_dir())


def compiled(*documents: tuple[str, str], at: int = NEW_YEAR_2026, environment: str = "dev") -> Compiled:
    text = "---\n".join(written(*each) for each in documents) or "# nothing\n"
    return of_files(world_with(text), at, environment)


def of_files(files: list[SourceFile], at: int = NEW_YEAR_2026, environment: str = "dev") -> Compiled:
    policy_set, found = read(files)
    records, source_map, _, diagnostics = build(policy_set, environment=environment, at=at)
    assert records is not None, [d.message for d in (*found, *diagnostics)]
    return Compiled(records, source_map)


def scenario(name: str, at: int = NEW_YEAR_2026) -> Compiled:
    folder: Path = ROOT / "examples" / name
    return of_files([SourceFile(p.name, p.read_bytes()) for p in sorted(folder.glob("*.yaml"))], at)


def said(before: Compiled, after: Compiled) -> list[tuple[str, str]]:
    return [(change.sentence, change.category) for change in diff_programs(before, after).changes]


def without_times(records: ProgramRecords) -> ProgramRecords:
    held = tuple(msgspec.structs.replace(r, intervals=((0, None),)) for r in records.reservations)
    quotas = tuple(
        msgspec.structs.replace(quota, limits=tuple(_without_times(limit) for limit in quota.limits))
        for quota in records.quotas
    )
    return msgspec.structs.replace(records, reservations=held, quotas=quotas)


def _without_times(limit: LimitRecord) -> LimitRecord:
    scheduled = tuple(msgspec.structs.replace(one, intervals=((0, None),)) for one in limit.scheduled)
    return msgspec.structs.replace(limit, scheduled=scheduled)


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_lifted_compiles_to_the_same_again(name):
    records = scenario(name).records
    again = lower(Catalogue(lift(records), None, records.at), environment=records.environment)
    assert without_times(again) == without_times(records)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_bundle_of_another_day_is_no_difference(name):
    found = diff_programs(scenario(name), scenario(name, NEW_YEAR_2026 + 200 * DAY))
    assert [change.sentence for change in found.changes] == []


def test_bundles_differ_in_the_words_their_folders_differ_in():
    quota = "spec: {tenant: acme, weight: %s, limits: [{of: requests, per: 1m, limit: %s}]}"
    before, after = ("Quota/q", quota % (1, 60)), ("Quota/q", quota % (3, 30))
    found = diff_programs(compiled(before), compiled(after))
    sets = [read(world_with(written(*each)))[0] for each in (before, after)]
    in_full = diff(sets[0], sets[1], environment="dev", at=NEW_YEAR_2026)
    assert replace(found, changes=()) == replace(in_full, changes=())
    assert [c.sentence for c in found.changes] == [c.sentence for c in in_full.changes]
    assert [c.category for c in found.changes] == [c.category for c in in_full.changes]
    assert ("acme: requests a minute 60 -> 30", "narrowing") in said(compiled(before), compiled(after))


def test_what_is_not_compiled_is_named_and_has_no_effect():
    tenant = "spec: {tiers: [priority, standard], default_tier: standard, contacts: [%s]}"
    one, two = (compiled(("Tenant/acme", tenant % who)) for who in ("ada", "bob"))
    assert said(one, two) == [("acme: the tenant changed in what no gateway reads", "no_effect")]
    expectation = (
        "Expectation/e",
        "spec: {given: {tenant: acme, model: llama-3-8b}, expect: {verdict: admit}}",
    )
    assert said(compiled(), compiled(expectation)) == [("e: the expectation added", "no_effect")]


RESERVED = """\
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 100k tokens/min, output: 6k tokens/min}
  window: %s"""
WEEKDAYS = (
    '{recurs: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR%s", at: "09:00-17:00", zone: Europe/Berlin, '
    "from: 2026-01-05T00:00:00Z, until: 2026-01-%s}"
)


@pytest.mark.parametrize(
    ("before", "after", "sentence", "category"),
    [
        (
            WEEKDAYS % ("", "12T00:00:00Z"),
            WEEKDAYS % (",SA", "12T00:00:00Z"),
            "acme: times in force of r: 5 times, 40 h -> 6 times, 48 h; "
            "first from 2026-01-10T08:00:00Z: in force then, and was not",
            "widening",
        ),
        (
            WEEKDAYS % ("", "17T00:00:00Z"),
            WEEKDAYS % ("", "12T00:00:00Z"),
            "acme: times in force of r: 10 times, 80 h -> 5 times, 40 h; "
            "first from 2026-01-12T08:00:00Z: no longer in force then",
            "narrowing",
        ),
        (
            "{from: 2026-01-05T00:00:00Z, until: 2026-01-06T00:00:00Z}",
            "{from: 2026-01-05T12:00:00Z}",
            "acme: times in force of r: once, 24 h -> from 2026-01-05T12:00:00Z on; "
            "first from 2026-01-05T00:00:00Z: no longer in force then",
            "moving",
        ),
    ],
)
def test_windows_are_compared_by_when_they_hold(before, after, sentence, category):
    sides = [compiled(("Reservation/r", RESERVED % window)) for window in (before, after)]
    assert said(*sides) == [(sentence, category)]


def test_a_reservation_to_come_is_said_with_its_day():
    reservation = ("Reservation/r", RESERVED % "{from: 2026-03-01T00:00:00Z}")
    sentence = "acme: reservation r of 100k in, 6k out tokens/min in tier priority added from 1 Mar 2026"
    assert said(compiled(), compiled(reservation)) == [(sentence, "widening")]
    beyond = ("Reservation/r", RESERVED % "{from: 2028-03-01T00:00:00Z}")
    assert said(compiled(), compiled(beyond)) == [("r: the reservation added out of sight", "no_effect")]


def test_bundles_of_two_environments_are_of_neither():
    found = diff_programs(compiled(), compiled(environment="production"))
    assert (found.environment, found.changes) == (None, ())


HOURS = st.sets(st.integers(0, 14)).map(lambda hours: tuple((h, h + 1) for h in sorted(hours)))


def held(intervals: tuple[tuple[int, int | None], ...]) -> set[int]:
    return {t for t in range(20) if any(s <= t and (e is None or t < e) for s, e in intervals)}


@given(HOURS, HOURS, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_one_has_and_the_other_has_not_is_exact(a, b, a_open, b_open):
    a, b = ((*x[:-1], (x[-1][0], None)) if is_open and x else x for x, is_open in ((a, a_open), (b, b_open)))
    assert held(gained(a, b)) == held(b) - held(a)
    assert gained(a, a) == ()


@given(HOURS, st.integers(0, 14), st.integers(1, 15), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_view_holds_what_meets_it(intervals, since, length, ends):
    seen = held(cut(intervals, since, since + length, ends=ends))
    assert seen == {t for t in held(intervals) if since <= t < since + length}


def test_hours_are_whole_and_finite():
    assert hours_of(((0, 5_400_000_000), (7_200_000_000, None))) == 1
