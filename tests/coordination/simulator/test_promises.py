"""Is a promise kept by what kept it, of just the requests it speaks of?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.simulator.promises import Promise, verdicts
from coordination.simulator.tally import Tally
from coordination.spec.kinds.objective import Length
from tests.coordination.simulator.policies import fleet, patient, program

PROGRAM = program(patient(fleet()).tenant("acme").tenant("acme/research").tenant("globex"))


def verdict(promise: Promise, tally: Tally) -> dict[str, Any]:
    (found,) = verdicts([promise], tally, PROGRAM)
    return found


def tally(*counted: tuple[str, str, str, int]) -> Tally:
    """(tenant, tier, pool, ttft in microseconds), each completed."""
    made = Tally(0)
    for tenant, tier, pool, ttft in counted:
        cell = made.cell((tenant, tier, pool))
        cell.requests += 1
        cell.completed += 1
        cell.ttft.add(ttft)
        cell.cached += 1
        cell.uncached += 3
    return made


@given(st.lists(st.integers(1, 10**7), max_size=40), st.integers(1, 10**7), st.integers(1, 99))
def test_a_time_is_kept_by_as_many_as_it_says(times, target, percent):
    found = verdict(
        Promise("p", "ttft", target, percent * 1_000_000), tally(*[("acme", "t", "p", t) for t in times])
    )
    if not times:
        assert found["holds"] is None
        return
    surely = sum(t * 1.05 < target for t in times)
    perhaps = sum(t / 1.05 <= target for t in times)
    assert surely <= found["kept"] <= perhaps
    assert found["given"] == len(times)
    assert found["holds"] == (found["kept"] * 100 >= percent * len(times))


@pytest.mark.parametrize(
    ("scope", "given_"),
    [
        ({}, 4),
        ({"tenant": "acme"}, 3),
        ({"tenant": "acme/research"}, 1),
        ({"tier": "fast"}, 2),
        ({"pool": "q"}, 1),
        ({"tenant": "acme", "tier": "fast", "pool": "p"}, 1),
        ({"tenant": "nobody"}, 0),
    ],
)
def test_it_speaks_of_its_scope_alone(scope, given_):
    counted = tally(
        ("acme", "fast", "p", 1),
        ("acme", "slow", "p", 1),
        ("acme/research", "slow", "q", 1),
        ("globex", "fast", "p", 1),
    )
    assert verdict(Promise("p", "ttft", 10, **scope), counted)["given"] == given_


def test_a_caller_s_own_limit_breaks_no_promise_and_a_shortage_of_ours_does():
    counted = tally(("acme", "t", "p", 1))
    counted.refused("acme", "t", "rate_limit_exceeded", 0)
    assert verdict(Promise("p", "availability", 990_000), counted)["holds"]
    counted.refused("acme", "t", "capacity_exceeded", 0, "p")
    found = verdict(Promise("p", "availability", 990_000), counted)
    assert (found["kept"], found["given"], found["holds"]) == (1, 2, False)


def test_a_cache_hit_is_a_share_of_tokens():
    found = verdict(Promise("p", "cache_hit", 250_000), tally(("acme", "t", "p", 1)))
    assert (found["value"], found["holds"]) == (0.25, True)
    assert not verdict(Promise("p", "cache_hit", 250_001), tally(("acme", "t", "p", 1)))["holds"]


LENGTHS = (Length(max=100), Length(min=101))


def ended(made: Tally, *rows: tuple[int, int, int]) -> Tally:
    """(uncached prompt tokens, end, deadline of its own or -1), each completed; a first byte half way."""
    cell = made.cell(("acme", "t", "p"))
    cell.pending += [(e2e // 2, 0, e2e, uncached, 0, 1, 0, 0, own) for uncached, e2e, own in rows]
    return made


def test_a_promise_to_a_class_is_held_against_the_requests_of_that_class():
    counted = ended(Tally(0, LENGTHS), (1, 10, -1), (100, 10, -1), (100, 90_000, -1), (101, 90_000, -1))
    of = {length: verdict(Promise("p", "ttft", 1_000, length=length), counted) for length in LENGTHS}
    assert [(found["kept"], found["given"]) for found in of.values()] == [(2, 3), (0, 1)]
    assert verdict(Promise("p", "ttft", 1_000), counted)["given"] == 4
    first, second = of.values()
    assert first["says"] == "ttft p95 at most 1ms, up to 100 uncached input tokens"
    assert second["uncached_input"] == {"min": 101, "max": None}


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 10**6), st.integers(-1, 10**6)), min_size=1, max_size=30
    ),
    st.integers(1, 10**6),
)
def test_a_deadline_is_its_own_or_the_tier_s(rows, target):
    """Counted by hand; where the tier's own counts, within the bucket of a sketch."""
    found = verdict(Promise("p", "deadline", target, length=LENGTHS[0]), ended(Tally(0, LENGTHS), *rows))
    mine = [(took, own) for uncached, took, own in rows if uncached <= 100]
    met = sum(took <= own for took, own in mine if own >= 0)
    surely = met + sum(took * 1.05 < target for took, own in mine if own < 0)
    perhaps = met + sum(took / 1.05 <= target for took, own in mine if own < 0)
    assert found["given"] == len(mine)
    assert surely <= found["kept"] <= perhaps


def test_what_we_turned_away_missed_its_deadline_and_a_caller_s_own_limit_did_not():
    counted = ended(Tally(0, LENGTHS), (1, 10, -1), (1, 10, 5))
    for code in ("rate_limit_exceeded", "deadline_unmeetable", "capacity_exceeded"):
        counted.refused("acme", "t", code, 0, "p", uncached=50)
    counted.refused("acme", "t", "capacity_exceeded", 0, "p", uncached=500)
    found = verdict(Promise("p", "deadline", 20, 99_000_000, LENGTHS[0]), counted)
    assert (found["kept"], found["given"], found["value"], found["holds"]) == (1, 4, 0.25, False)
    assert found["says"] == (
        "deadline (20us where none is named) met by at least 99%, up to 100 uncached input tokens"
    )
