"""Every verdict of admission: which rule decides, with which code, and what happens next."""

from __future__ import annotations

import pytest

from coordination.program.records import MILLION
from coordination.scheduling import (
    Decision,
    Request,
    State,
    admit,
    expire,
    headroom,
    levels,
    new_state,
    next_expiry,
    set_health,
)
from coordination.scheduling.routing import arm, point
from tests.support.programs import MINUTE, SECOND, START, PolicyBuilder, a_policy, limit, one_pool
from tests.support.virtual_fleet import VirtualFleet

COUNT = iter(range(10**9))


def ask(state: State, tenant: str = "acme", *, now: int = START, **more: object) -> Decision:
    request_id = f"ask{next(COUNT)}"
    fields = {
        "model": "m",
        "tier": "standard",
        "scale": False,
        "prompt_tokens": 1000,
        "max_tokens": 100,
        "blocks": (),
        "stickiness": request_id,
        "deadline": None,
    }
    fields.update(more)
    request = Request(request_id=request_id, tenant=tenant, arrived=now, **fields)  # type: ignore[arg-type]
    return admit(state.program, state, request, now)


def state_of(policy: PolicyBuilder) -> State:
    return new_state(policy.load(), route_salt="salt", seed=1, now=START)


def rules(decision: Decision) -> list[str]:
    return [step.rule for step in decision.steps]


def test_an_idle_fleet_admits_at_once():
    decision = ask(state_of(one_pool()))
    assert (decision.verdict, decision.code, decision.route, decision.pool) == ("admit", None, "all", "p")
    assert decision.hold.total == 1100
    assert rules(decision) == ["R1", "R4", "R6", "R15"]


def test_a_prompt_longer_than_the_context_is_refused():
    decision = ask(state_of(one_pool()), prompt_tokens=200_000)
    assert decision.code == "context_length_exceeded"
    assert "131072" in decision.message


def test_a_request_that_no_route_matches_is_refused():
    policy = a_policy().model().pool().tier().tenant("acme").tenant("globex").route(tenants=("globex",))
    assert ask(state_of(policy)).code == "no_route"


def test_a_child_tenant_uses_its_parents_route():
    policy = a_policy().model().pool().tier().tenant("acme").tenant("acme/search").route(tenants=("acme",))
    assert ask(state_of(policy), "acme/search").route == "all"


def test_the_first_route_by_rank_that_serves_the_prompts_length_wins():
    policy = one_pool().pool("long").route("short-prompts", "p", rank=1, prompt=(0, 500))
    policy.route("long-prompts", "long", rank=2, prompt=(500, None))
    state = state_of(policy)
    assert ask(state, prompt_tokens=499).route == "short-prompts"
    assert ask(state, prompt_tokens=500).route == "long-prompts"


def test_arms_follow_their_weights_and_stay_with_the_run():
    policy = a_policy().model().pool("p").pool("canary").tier().tenant()
    program = policy.route("all", ("p", 90), ("canary", 10)).load()
    route = program.routes["all"]
    pools = [arm(route, point("salt", "all", f"run{number}"))[0] for number in range(2000)]
    assert 140 < pools.count("canary") < 260
    state = new_state(program, route_salt="salt", seed=1, now=START)
    assert len({ask(state, stickiness="run7").pool for _ in range(5)}) == 1


def test_growing_a_canary_only_extends_its_interval():
    def arms(canary: int) -> list[str]:
        policy = a_policy().model().pool("p").pool("canary").tier().tenant()
        route = policy.route("all", ("p", 100 - canary), ("canary", canary)).load().routes["all"]
        return [arm(route, point("salt", "all", f"run{number}"))[0] for number in range(1000)]

    small, large = arms(5), arms(20)
    assert all(after == "canary" for before, after in zip(small, large, strict=True) if before == "canary")


def test_concurrency_is_refused_at_its_ceiling_and_free_again_after():
    policy = one_pool().quota("q", "acme", concurrency=2)
    fleet = VirtualFleet(policy.load())
    for _ in range(3):
        fleet.request()
    fleet.run()
    codes = [one.decision.code for one in fleet.served.values()]
    assert codes == [None, None, "concurrency_exceeded"]
    assert fleet.state.slots["q"].used == 0


def test_a_parents_ceiling_holds_its_children_together():
    policy = a_policy().model().pool().tier().tenant("a").tenant("a/x").tenant("a/y").route()
    policy.quota("parent", "a", limit("requests", "1m", 3)).quota("child", "a/x", limit("requests", "1m", 2))
    state = state_of(policy)
    assert [ask(state, "a/x").code for _ in range(3)] == [None, None, "rate_limit_exceeded"]
    assert [ask(state, "a/y").code for _ in range(2)] == [None, "rate_limit_exceeded"]
    refused = ask(state, "a/y")
    assert refused.steps[-1].facts["quota"] == "parent"


def test_a_quota_counts_only_what_is_in_its_scope():
    policy = a_policy().model().model("n").pool().pool("pn", model="n").tier().tenant()
    policy.route("m", "p", models=("m",)).route("n", "pn", models=("n",))
    policy.quota("only-n", "acme", limit("requests", "1m", 1), models=("n",))
    state = state_of(policy)
    assert [ask(state).code for _ in range(3)] == [None] * 3
    assert [ask(state, model="n").code for _ in range(2)] == [None, "rate_limit_exceeded"]


def test_retry_after_is_honest():
    state = state_of(one_pool().quota("q", "acme", limit("requests", "1m", 6)))
    for _ in range(6):
        assert ask(state).code is None
    refused = ask(state)
    assert refused.code == "rate_limit_exceeded"
    assert refused.retry_after_us is not None
    assert 10 * SECOND <= refused.retry_after_us <= 15 * SECOND
    assert ask(state, now=START + refused.retry_after_us).code is None


def test_a_refused_request_holds_nothing():
    policy = one_pool().quota(
        "q", "acme", limit("requests", "1m", 5), limit("total_tokens", "1m", 1500), concurrency=9
    )
    state = state_of(policy)
    assert ask(state).code is None
    assert ask(state).code == "rate_limit_exceeded"
    assert state.slots["q"].used == 1
    view = headroom(state.program, state, ask(state, prompt_tokens=10, max_tokens=1), START)
    assert view.requests is not None
    assert view.tokens is not None
    assert (view.requests.limit, view.requests.remaining) == (5, 3)
    assert (view.tokens.limit, view.tokens.remaining) == (1500, 1500 - 1100 - 11)


def test_spend_is_held_at_the_price_in_force():
    policy = one_pool().quota("q", "acme", limit("spend", "month", 3_000_000))
    policy.prices(("m", START, 1000, 100, 4000), ("m", START + MINUTE, 2000, 200, 8000))
    state = state_of(policy)
    assert ask(state).code is None  # 1000 x 1000 + 100 x 4000
    assert ask(state).code is None
    refused = ask(state)
    assert refused.code == "spend_exceeded"
    assert state.meters["quota", "q", "spend", "month"].remaining(START) == 200_000
    other = state_of(policy)
    assert ask(other, now=START + MINUTE).code is None
    assert other.meters["quota", "q", "spend", "month"].remaining(START + MINUTE) == 200_000


# The reservation lane (R8)


def reserved(overflow_to: str = "spill", **more: object) -> PolicyBuilder:
    """2,000 input tokens conform at once (12,000 a minute for ten seconds), then 200 a second."""
    policy = one_pool("acme", "globex").tier("lower", band=100)
    return policy.reservation(
        "r",
        "acme",
        input_per_minute=12_000,
        output_per_minute=6000,
        overflow_to=overflow_to,
        **more,  # type: ignore[arg-type]
    )


def test_conforming_requests_use_the_lane_and_skip_the_rate_limits():
    policy = reserved().quota("q", "acme", limit("requests", "1m", 1))
    state = state_of(policy)
    decisions = [ask(state) for _ in range(4)]
    assert [one.reservation for one in decisions] == ["used", "used", "spilled", "spilled"]
    assert [one.code for one in decisions] == [None, None, None, "rate_limit_exceeded"]


def test_the_lane_is_called_by_its_name_and_a_band_by_its_number():
    state = state_of(reserved())
    told = [[step for step in ask(state).steps if "waits in" in step.says] for _ in range(3)]
    assert [[(step.rule, step.says) for step in steps] for steps in told] == [
        [("R13", "waits in pool p, lane, leaf r")],
        [("R13", "waits in pool p, lane, leaf r")],
        [("R15", "waits in pool p, band 200, leaf acme")],
    ]


def test_a_lane_request_still_counts_against_concurrency():
    state = state_of(reserved().quota("q", "acme", concurrency=1))
    assert [ask(state).code for _ in range(2)] == [None, "concurrency_exceeded"]


def test_overflow_refuse():
    state = state_of(reserved("refuse"))
    decisions = [ask(state) for _ in range(3)]
    assert [one.code for one in decisions] == [None, None, "reservation_exceeded"]
    assert decisions[2].retry_after_us is not None
    assert ask(state, now=START + decisions[2].retry_after_us).reservation == "used"


def test_overflow_downgrade_serves_the_request_in_the_lower_tier():
    state = state_of(reserved("downgrade:lower"))
    decisions = [ask(state) for _ in range(3)]
    assert [(one.tier, one.reservation) for one in decisions] == [
        ("standard", "used"),
        ("standard", "used"),
        ("lower", "none"),
    ]
    assert decisions[2].tier_requested == "standard"


def test_overflow_queue_waits_in_the_lane_until_it_conforms():
    fleet = VirtualFleet(reserved("queue").load())
    for number in range(4):
        fleet.request(at=number, max_tokens=10)
    fleet.run()
    waits = [sent.queue_us for sent in fleet.sent]
    assert waits[0] == 0
    assert waits[1] == 0
    assert waits[2] == pytest.approx(5 * SECOND, rel=0.01)
    assert waits[3] == pytest.approx(10 * SECOND, rel=0.01)
    assert {sent.decision.reservation for sent in fleet.sent} == {"used"}


def test_a_queued_lane_request_that_is_cancelled_gives_its_place_back():
    fleet = VirtualFleet(reserved("queue").load())
    for number in range(4):
        fleet.request(at=number, max_tokens=10, request_id=f"r{number}")
    fleet.run(until=SECOND)
    assert fleet.leave("r2")
    assert not fleet.leave("r2")
    fleet.run()
    assert fleet.served["r3"].finished


def test_scale_asks_for_the_lane_and_nothing_else():
    state = state_of(reserved("spill"))
    assert [ask(state, scale=True).code for _ in range(3)] == [None, None, "reservation_exceeded"]
    assert ask(state, "globex", scale=True).code == "reservation_exceeded"


def test_scale_goes_to_the_pool_of_the_reservation_whatever_the_arm():
    policy = a_policy().model().pool("p").pool("q").tier().tenant()
    policy.route("all", ("p", 1), ("q", 1)).reservation("r", "acme", pool="q", input_per_minute=600_000)
    state = state_of(policy)
    assert {ask(state, scale=True, max_tokens=1).pool for _ in range(20)} == {"q"}


def test_a_reservation_applies_only_while_it_is_in_force():
    state = state_of(reserved(since=START + MINUTE, until=START + 2 * MINUTE))
    told = [ask(state, now=START + at * MINUTE).reservation for at in (0, 1, 2)]
    assert told == ["none", "used", "none"]


def test_the_lane_is_only_for_its_own_tier_pool_and_tenant():
    state = state_of(reserved())
    assert ask(state, "globex").reservation == "none"
    assert ask(state, tier="lower").reservation == "none"


# Feasibility and overflow (R11, R12), bounds (R18)


def busy(policy: PolicyBuilder, requests: int = 60, prompt: int = 10_000) -> VirtualFleet:
    """A pool whose every replica has seconds of work waiting."""
    fleet = VirtualFleet(policy.load())
    for _ in range(requests):
        fleet.request(prompt=prompt, max_tokens=1)
    return fleet.run(until=1000)


def one_tier(**tier: object) -> PolicyBuilder:
    policy = a_policy().model().pool("p", replicas=2).pool("spare", replicas=2)
    return policy.tier("standard", **tier).tier("lower", band=100, max_wait=3600 * SECOND).tenant()  # type: ignore[arg-type]


def test_a_wait_that_cannot_be_met_is_refused_with_when_to_come_back():
    fleet = busy(one_tier(overflow_to="refuse", max_wait=5 * SECOND).route())
    refused = ask(fleet.state, now=fleet.now, prompt_tokens=1000)
    assert refused.code == "capacity_exceeded"
    assert refused.retry_after_us is not None
    assert refused.steps[-1].rule == "R11"
    facts = refused.steps[-1].facts
    excess = facts["wait_us"] - facts["most_us"]
    assert excess <= refused.retry_after_us <= excess * 3 // 2


def test_a_deadline_that_cannot_be_met_is_refused_as_such():
    fleet = busy(one_tier(overflow_to="refuse", max_wait=3600 * SECOND).route(), requests=200)
    assert ask(fleet.state, now=fleet.now, deadline=fleet.now + SECOND).code == "deadline_unmeetable"
    assert ask(fleet.state, now=fleet.now).code is None


def test_overflow_spill_goes_to_the_fallback_pool():
    fleet = busy(one_tier(overflow_to="spill", max_wait=SECOND).route(fallback=("spare",)))
    pools = {sent.pool for sent in fleet.sent}
    assert pools == {"p", "spare"}
    spilled = next(sent.decision for sent in fleet.sent if sent.pool == "spare")
    assert "R12" in rules(spilled)
    assert any(one.decision.code == "capacity_exceeded" for one in fleet.served.values()), (
        "and then it is full"
    )


def test_what_left_the_lane_is_told_as_spilled_in_whichever_pool_it_ends():
    policy = a_policy().model().pool("p", replicas=2).pool("spare").tier(overflow_to="spill").tenant()
    policy.route(fallback=("spare",)).reservation(
        "r", "acme", input_per_minute=12_000, output_per_minute=6000
    )
    state = state_of(policy)
    assert [ask(state).reservation for _ in range(2)] == ["used", "used"]
    for url in state.program.pools["p"].replicas:
        set_health(state.program, state, "p", url, False, START)
    decision = ask(state)
    assert (decision.pool, decision.reservation) == ("spare", "spilled")


def test_overflow_downgrade_restarts_in_the_lower_tier():
    fleet = busy(one_tier(overflow_to="downgrade:lower", max_wait=SECOND).route())
    tiers = [one.decision.tier for one in fleet.served.values()]
    assert "lower" in tiers
    assert all(one.decision.code is None for one in fleet.served.values())


def test_tiers_that_point_at_each_other_are_each_tried_once():
    policy = a_policy().model().pool(replicas=1)
    policy.tier("standard", overflow_to="downgrade:lower", max_wait=1).tier(
        "lower", band=100, overflow_to="downgrade:standard", max_wait=1
    )
    fleet = busy(policy.tenant().route(), requests=20)
    refused = [one.decision for one in fleet.served.values() if one.decision.code]
    assert refused
    assert all(rules(decision).count("R12") <= 1 for decision in refused)


def test_a_pool_without_a_healthy_replica_spills_if_it_can():
    policy = one_tier(overflow_to="spill").route(fallback=("spare",))
    state = state_of(policy)
    for url in state.program.pools["p"].replicas:
        set_health(state.program, state, "p", url, False, START)
    assert ask(state).pool == "spare"


def test_whoever_waits_too_long_is_refused_and_refunded():
    policy = one_pool(replicas=1, max_wait=2 * SECOND).quota(
        "q", "acme", limit("total_tokens", "1h", 10**9), concurrency=99
    )
    fleet = busy(policy, requests=20)
    fleet.run()
    expired = [one for one in fleet.served.values() if one.refused]
    assert expired
    assert {one.decision.code for one in expired} == {"capacity_exceeded"}
    assert all(one.refused is not None and one.refused - one.arrived == 2 * SECOND for one in expired)
    assert fleet.state.slots["q"].used == 0
    assert next_expiry(fleet.state) is None


def test_a_full_queue_displaces_the_last_of_the_heaviest_leaf():
    policy = a_policy().model().pool(replicas=1).tier(max_depth=10, max_wait=3600 * SECOND)
    policy.tenant("greedy", weight=1).tenant("modest", weight=1).route()
    fleet = VirtualFleet(policy.load())
    for number in range(14):
        fleet.request("greedy", prompt=10_000, request_id=f"g{number}")
    fleet.request("modest", at=1, prompt=10_000, request_id="m0")
    fleet.run(until=2)
    assert fleet.served["m0"].decision.code is None
    refused = [name for name, one in fleet.served.items() if one.decision.code]
    assert refused == ["g10", "g11", "g12", "g13"] or set(refused) >= {"g11", "g12", "g13"}
    last_waiting = max(
        int(name[1:]) for name, one in fleet.served.items() if not one.decision.code and name[0] == "g"
    )
    assert last_waiting == 9, "the newest of greedy's waiting requests made room"
    assert next_expiry(fleet.state) != 0, "and was handed over at once"


def test_expired_decisions_are_handed_over_exactly_once():
    fleet = VirtualFleet(one_pool(replicas=1, max_wait=SECOND).load())
    for _ in range(8):
        fleet.request(prompt=20_000)
    fleet.run(until=1000)
    first = expire(fleet.program, fleet.state, START + SECOND)
    assert first
    assert not expire(fleet.program, fleet.state, START + SECOND)
    assert all(one.verdict == "refuse" for one in first)


def test_a_reserved_request_that_is_never_served_is_our_shortfall():
    state = state_of(reserved())
    for url in state.program.pools["p"].replicas:
        set_health(state.program, state, "p", url, False, START)
    assert ask(state).reservation == "spilled", "none of it can be given, and there is nowhere else"
    refused = expire(state.program, state, START + MINUTE)
    assert [one.code for one in refused] == ["reservation_shortfall"]
    assert state.lanes["r"].input.remaining(START + MINUTE) == 2000 * MILLION
    assert state.shortfalls == {"r": 1}


def losing(overflow_to: str, lost: int) -> State:
    """Four replicas and half of the pool reserved: 20 k of input and 2 k of output at once."""
    policy = one_pool("acme", "globex").tier("lower", band=100)
    policy.reservation(
        "r",
        "acme",
        input_per_minute=600_000,
        output_per_minute=60_000,
        window=2 * SECOND,
        overflow_to=overflow_to,
    )
    state = state_of(policy)
    for url in state.program.pools["p"].replicas[:lost]:
        set_health(state.program, state, "p", url, False, START)
    return state


@pytest.mark.parametrize(("lost", "through"), [(0, 20), (1, 20), (2, 20), (3, 10), (4, 0)])
def test_lost_capacity_leaves_the_lane_its_part_of_what_is_left(lost, through):
    """The lane comes before all else, so half of the pool may go before a promise is broken."""
    state = losing("refuse", lost)
    decisions = [ask(state, max_tokens=100) for _ in range(30)]
    codes = [one.code for one in decisions]
    assert (
        codes == [None] * through + ["reservation_shortfall"] * (20 - through) + ["reservation_exceeded"] * 10
    )
    assert state.shortfalls.get("r", 0) == 20 - through, "what is beyond the promise is not on us"


def test_a_shortfall_is_handled_as_the_reservations_overflow():
    spilled = ask(losing("spill", 4))
    assert (spilled.code, spilled.reservation, spilled.short) == (None, "spilled", "r")
    assert ask(losing("spill", 4), scale=True).code == "reservation_shortfall"
    lower = ask(losing("downgrade:lower", 4))
    assert (lower.code, lower.tier) == (None, "lower")
    state = losing("queue", 3)
    told = [ask(state) for _ in range(11)]
    assert [one.reservation for one in told] == ["used"] * 11
    assert "R8" in rules(told[10])
    assert state.shortfalls == {"r": 1}
    assert next_expiry(state) == START + 200_000, "1,000 tokens at 300 k a minute"


def test_the_lane_is_whole_again_with_its_replicas():
    state = losing("refuse", 4)
    assert ask(state).code == "reservation_shortfall"
    for url in state.program.pools["p"].replicas:
        set_health(state.program, state, "p", url, True, START)
    assert ask(state).reservation == "used"
    (lane,) = levels(state, "acme", START).reservations
    assert (lane.left_ppm, lane.shortfall) == (MILLION, 1)
