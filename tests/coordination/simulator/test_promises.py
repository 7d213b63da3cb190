"""Is a promise kept by what kept it, of just the requests it speaks of?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.simulator.promises import Promise, verdicts
from coordination.simulator.tally import Tally
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
