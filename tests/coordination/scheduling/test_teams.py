"""Limits that administrators set for their teams hold at once, with levels kept, and say whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from coordination.scheduling import activate, explain, levels, new_state, remember, restore
from coordination.scheduling.state import State
from tests.coordination.scheduling.test_lending import ask, let_in
from tests.support.programs import SECOND, START, limit, one_pool
from tests.support.virtual_fleet import VirtualFleet


def a_state(*team, of_tenant=20, per="1m") -> State:
    policy = one_pool("a", "a/x", "a/y").quota(
        "qa", "a", limit("requests", per, of_tenant), delegates=("limits",)
    )
    if team:
        policy.quota("qx", "a/x", *team)
    return new_state(policy.load(), route_salt="s", seed=1, now=START)


def give(state: State, amount, per="1m", now=START):
    limits: Any = {"a/x": {"requests": {per: amount}}} if amount else {}
    if state.program.follow({}, limits):
        activate(state, state.program, now)


def passes(state: State, tenant="a/x", now=START) -> int:
    count = 0
    while let_in(state, tenant, 10, now):
        count += 1
    return count


@pytest.mark.parametrize("team", [[limit("requests", "1m", 4)], []], ids=["over the policy's", "of its own"])
def test_a_limit_holds_from_the_next_decision_on_and_what_was_used_stays_used(team):
    state = a_state(*team)
    for _ in range(3):
        assert let_in(state, "a/x", 10, START)
    give(state, 8)
    used_before = 3 if team else 0  # a limit that was not there has counted nothing
    assert passes(state) == 8 - used_before
    give(state, 9)
    assert passes(state) == 1
    give(state, None)
    assert passes(state) == (0 if team else 20 - 3 - (9 - used_before)), "taken back"


def test_it_narrows_at_once_what_was_wider():
    state = a_state(limit("requests", "1m", 15))
    give(state, 2)
    assert passes(state) == 2
    assert passes(state, "a/y") == 18, "the tenant's own limit is as it was, and its other team has the rest"


def test_the_parent_s_limit_holds_whatever_its_teams_were_given():
    state = a_state(of_tenant=5)
    give(state, 5)
    assert passes(state, "a/y") == 5
    assert passes(state) == 0


def test_the_levels_show_it_also_for_a_team_the_policy_has_no_quota_for():
    state = a_state()
    give(state, 7)
    assert let_in(state, "a/x", 10, START)
    (found,) = levels(state, "a/x", START).limits
    assert (found.quota, found.tenant, found.limit, found.used) == ("a/x", "a/x", 7, 1)


def test_what_was_used_of_a_day_outlives_a_restart():
    state = a_state(per="day")
    give(state, 7, "day")
    fleet = VirtualFleet(state.program)
    for number in range(7):
        fleet.request("a/x", at=number * SECOND)
    fleet.run()
    remembered = remember(fleet.state, fleet.now)
    again = a_state(per="day").program
    again.follow({}, {"a/x": {"requests": {"day": 7}}})
    fresh = new_state(again, route_salt="s", seed=1, now=fleet.now)
    assert restore(fresh, remembered, fleet.now) == 2, "the team's and the tenant's"
    assert passes(fresh, now=fleet.now) == 0


def said(decision) -> list[str]:
    return [step["says"] for step in explain(decision)["steps"]]


def test_an_explanation_says_who_set_the_limit_it_names():
    state = a_state(limit("requests", "1m", 9))
    give(state, 1)
    first, second = ask(state, "a/x", 10), ask(state, "a/x", 10)
    (meters,) = [step["facts"]["meters"] for step in explain(first)["steps"] if "meters" in step["facts"]]
    assert meters == ["qa: requests per 1m", "qx: requests per 1m, set by the administrators of a"]
    line = "quota qx: requests per 1m is what the administrators of a set"
    assert second.code == "rate_limit_exceeded"
    assert line in said(second)
    assert line not in said(ask(state, "a/y", 10)), "its sibling's is nobody's word but the policy's"
    give(state, None)
    assert "set by" not in str(explain(ask(state, "a/x", 10)))


def test_so_it_does_of_what_may_be_spent():
    policy = one_pool("a", "a/x").quota("qa", "a", limit("spend", "day", 10**12), delegates=("limits",))
    state = new_state(policy.prices(("m", 0, 10, 10, 10)).load(), route_salt="s", seed=1, now=START)
    state.program.follow({}, {"a/x": {"spend": {"day": 1}}})
    activate(state, state.program, START)
    ask(state, "a/x", 10)
    refused = ask(state, "a/x", 10)
    assert refused.code == "spend_exceeded"
    assert "quota a/x: spend per day is what the administrators of a set" in said(refused)
