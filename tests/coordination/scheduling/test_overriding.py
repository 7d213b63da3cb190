"""Overrides stand before the policy: pools that take nothing new, limits that are higher (R12)."""

from __future__ import annotations

import msgspec
import pytest

from coordination.program.index import load
from coordination.scheduling import (
    activate,
    admit,
    drain,
    explain,
    levels,
    move_on,
    raise_limits,
    remember,
    restore,
    set_health,
)
from tests.support.programs import SECOND, a_policy, limit
from tests.support.virtual_fleet import VirtualFleet

WHY = "ovr_00000001 (fire)"


def two_pools(**options) -> VirtualFleet:
    policy = a_policy().model().pool("p", replicas=1, sequences=1).pool("q", replicas=1)
    return VirtualFleet(policy.tier(**options).tenant().route("all", "p", fallback=("q",)).load())


def rules_of(decision):
    return [step["says"] for step in explain(decision)["steps"]]


def drained(fleet, *pools):
    drain(fleet.program, fleet.state, dict.fromkeys(pools, WHY), fleet.now)
    moved = move_on(fleet.program, fleet.state, fleet.now)
    for before, after in moved:
        fleet.served[before.request.request_id].decision = after
        if after.verdict == "refuse":
            fleet.served[before.request.request_id].refused = fleet.now
    fleet.dispatch_all()
    return moved


def test_a_drained_pool_takes_nothing_new_and_ends_what_it_has():
    fleet = two_pools()
    fleet.request(request_id="running")
    fleet.run(until=1000)
    drained(fleet, "p")
    fleet.request(at=2000, request_id="new")
    fleet.run()
    assert [(one.request.request_id, one.pool) for one in fleet.sent] == [("running", "p"), ("new", "q")]
    assert fleet.served["running"].finished, "what is in flight is left alone"
    assert f"pool p takes nothing new: {WHY}" in rules_of(fleet.served["new"].decision)


def test_what_waits_for_a_drained_pool_goes_elsewhere_and_its_explanation_says_both():
    fleet = two_pools()
    for number in range(3):
        fleet.request(request_id=f"r{number}")
    fleet.run(until=1000)
    assert len(fleet.sent) == 1
    moved = drained(fleet, "p")
    assert [after.pool for _, after in moved] == ["q", "q"]
    fleet.run()
    assert [one.pool for one in fleet.sent] == ["p", "q", "q"]
    said = rules_of(fleet.served["r2"].decision)
    assert any(line.startswith("waits in pool p") for line in said)
    assert any("leaves pool p" in line and WHY in line for line in said)


def test_moving_on_holds_nothing_twice():
    policy = a_policy().model().pool("p", replicas=1, sequences=1).pool("q", replicas=1).tier().tenant()
    policy = policy.quota("cap", "acme", limit("requests", "1m", 10), concurrency=3)
    fleet = VirtualFleet(policy.route("all", "p", fallback=("q",)).load())
    for number in range(3):
        fleet.request(request_id=f"r{number}")
    fleet.run(until=1000)
    before = levels(fleet.state, "acme", fleet.now)
    drained(fleet, "p")
    assert levels(fleet.state, "acme", fleet.now) == before
    fleet.run()
    assert levels(fleet.state, "acme", fleet.now).concurrency[0].used == 0


@pytest.mark.parametrize("overflow_to", ["queue", "refuse", "spill"])
def test_with_nowhere_to_go_they_are_told_so(overflow_to):
    fleet = two_pools(overflow_to=overflow_to)
    for number in range(2):
        fleet.request(request_id=f"r{number}")
    fleet.run(until=1000)
    ((_, after),) = drained(fleet, "p", "q")
    assert (after.verdict, after.code) == ("refuse", "capacity_exceeded")
    assert WHY in after.message
    assert after.retry_after_us >= SECOND


def test_an_arm_that_is_drained_leaves_its_part_to_the_others():
    policy = a_policy().model().pool("p", replicas=1).pool("q", replicas=1).tier().tenant()
    fleet = VirtualFleet(policy.route("all", ("p", 50), ("q", 50)).load())
    drained(fleet, "p")
    for number in range(20):
        fleet.request(request_id=f"r{number}")
    fleet.run()
    assert {one.pool for one in fleet.sent} == {"q"}
    assert len(fleet.sent) == 20


def test_a_drain_that_is_lifted_is_as_if_it_had_not_been():
    fleet = two_pools()
    drained(fleet, "p")
    drained(fleet)
    fleet.request()
    fleet.run()
    assert [one.pool for one in fleet.sent] == ["p"]
    assert not any("takes nothing new" in line for line in rules_of(fleet.served["req1"].decision))


def test_replicas_that_a_new_policy_adds_to_a_drained_pool_take_nothing_either():
    fleet = two_pools()
    drained(fleet, "p")
    program = fleet.program.records
    pools = tuple(
        msgspec.structs.replace(pool, replicas=(*pool.replicas, "http://p-9")) if pool.name == "p" else pool
        for pool in program.pools
    )
    fleet.program = load(msgspec.structs.replace(program, pools=pools))
    activate(fleet.state, fleet.program, fleet.now)
    assert not fleet.state.pools["p"].usable_mask
    set_health(fleet.program, fleet.state, "p", "http://p-0", True, fleet.now)
    assert not fleet.state.pools["p"].usable_mask, "neither does one that is well again"


# -- limits ----------------------------------------------------------------------------------------


def limited(per="1m", amount=10, of="requests"):
    policy = a_policy().model().pool(replicas=2).tier().tenant()
    return VirtualFleet(policy.quota("cap", "acme", limit(of, per, amount)).route().load())


def ask(fleet, number):
    request = fleet.request(request_id=f"n{number}-{fleet.now}")
    return admit(fleet.program, fleet.state, request, fleet.now)


def let_in(fleet, count=100):
    return sum(ask(fleet, number).verdict != "refuse" for number in range(count))


def raised(fleet, factor=1_500_000, per="1m", of="requests"):
    raise_limits(fleet.program, fleet.state, {("cap", of, per): (factor, WHY)}, fleet.now)


@pytest.mark.parametrize("per", ["1m", "1h", "day", "month"])
def test_a_raised_limit_has_room_for_more_and_remembers_what_was_used(per):
    fleet = limited(per)
    assert let_in(fleet) == 10
    raised(fleet, per=per)
    assert levels(fleet.state, "acme", fleet.now).limits[0].limit == 15
    assert levels(fleet.state, "acme", fleet.now).limits[0].used == 10
    assert let_in(fleet) == 5
    decision = ask(fleet, 1)
    assert decision.code == "rate_limit_exceeded"
    raise_limits(fleet.program, fleet.state, {}, fleet.now)
    assert let_in(fleet) == 0
    shown = levels(fleet.state, "acme", fleet.now).limits[0]
    assert (shown.limit, shown.used) == (10, 10)


def test_explanations_name_the_override_that_raised_a_limit():
    fleet = limited()
    raised(fleet)
    steps = explain(ask(fleet, 1))["steps"]
    (found,) = [
        step["facts"]["meters"] for step in steps if step["says"] == "room in every limit on the path"
    ]
    assert list(found) == [f"cap: requests per 1m, raised by {WHY}"]
    raise_limits(fleet.program, fleet.state, {}, fleet.now)
    steps = explain(ask(fleet, 2))["steps"]
    (found,) = [
        step["facts"]["meters"] for step in steps if step["says"] == "room in every limit on the path"
    ]
    assert list(found) == ["cap: requests per 1m"]


def test_a_raise_outlives_another_policy_and_a_restart():
    fleet = limited("1h")
    raised(fleet, per="1h")
    assert let_in(fleet, 12) == 12
    activate(fleet.state, load(fleet.program.records), fleet.now)
    fleet.program = fleet.state.program
    assert let_in(fleet) == 3


def test_what_was_used_of_a_raised_limit_outlives_a_restart():
    fleet = limited("1h")
    raised(fleet, per="1h")
    for number in range(12):
        fleet.request(request_id=f"r{number}")
    fleet.run()
    again = limited("1h")
    again.now = fleet.now
    restore(again.state, remember(fleet.state, fleet.now), fleet.now)
    raised(again, per="1h")
    assert let_in(again) == 3


def test_a_limit_the_policy_lacks_is_raised_when_it_comes():
    fleet = limited()
    raise_limits(fleet.program, fleet.state, {("none", "requests", "1m"): (2_000_000, WHY)}, fleet.now)
    assert let_in(fleet) == 10
