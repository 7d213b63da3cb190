"""A plan, kept for all requests of a scope, never outlives what it was made from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling import activate, new_state, plans, raise_limits
from coordination.scheduling.state import State
from tests.support.programs import MINUTE, START, a_policy, limit, one_pool
from tests.support.stories import Story
from tests.support.virtual_fleet import VirtualFleet


def forget(state: State) -> None:
    state.plans.clear()


@given(st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_kept_plans_decide_as_plans_that_are_made_for_each_request(seed):
    """Under other policies, shares, overrides, credits, drained pools, prices and limits that change by
    themselves: every explanation, every header, every level is the same."""
    kept = Story(seed).run(300)
    assert kept == Story(seed, between=forget).run(300)


def test_a_story_tells_of_all_that_a_plan_holds():
    """What the property above was shown: without these lines it would say nothing of them."""
    said = {
        step["says"].split(" ")[0]
        for seed in range(8)
        for one in Story(seed).run(400)
        if isinstance(one, dict)
        for step in one["steps"]
    }
    assert {"reservation", "room", "spend", "within", "use", "route", "downgrade", "spill", "stands"} <= said


@pytest.mark.parametrize(
    "change",
    [
        lambda state, program: activate(state, program, START),
        lambda state, program: program.follow({"acme/team": 2_000_000}),
        lambda state, program: raise_limits(
            program, state, {("q", "requests", "1m"): (2_000_000, "why")}, START
        ),
        lambda state, program: state.at(START + MINUTE),
    ],
    ids=["policy", "shares", "override", "timeline"],
)
def test_a_plan_ends_with_what_it_was_made_from(change):
    policy = one_pool("acme", "acme/team")
    policy.quota("q", "acme", limit("requests", "1m", 10), delegates=("weight",))
    program = policy.prices(("m", START - MINUTE, 1, 1, 1), ("m", START + MINUTE, 2, 2, 2)).load()
    state = new_state(program, route_salt="salt", seed=1, now=START)
    first = state.plan(program, "acme", "standard", "m", START)
    assert state.plan(program, "acme", "standard", "m", START) is first
    change(state, program)
    assert state.plan(program, "acme", "standard", "m", START) is not first


def test_only_so_many_plans_are_kept_and_the_oldest_goes_first(monkeypatch):
    monkeypatch.setattr("coordination.scheduling.state.MOST", 3)
    built = a_policy().model().pool().tier().route()
    for number in range(5):
        built.tenant(f"t{number}")
    fleet = VirtualFleet(built.load())
    for number in range(5):
        fleet.request(f"t{number}", at=number)
    fleet.run()
    assert [tenant for tenant, _, _ in fleet.state.plans] == ["t2", "t3", "t4"]
    assert all(one.finished for one in fleet.served.values())
    assert plans.MOST >= 1 << 16
