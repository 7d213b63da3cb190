"""What is reserved stays free, is lent for as long as the policy says, and is there when wanted (R19)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION
from coordination.scheduling import activate
from tests.support.programs import SECOND, START, PolicyBuilder, a_policy
from tests.support.virtual_fleet import Served, VirtualFleet


def half_reserved(**reservation: object) -> PolicyBuilder:
    """Ten sequences, half of them globex'."""
    policy = a_policy().model().pool(replicas=1, sequences=10).tier().tenant("acme").tenant("globex")
    return policy.reservation(
        "half",
        "globex",
        input_per_minute=150_000,
        output_per_minute=15_000,
        **reservation,  # type: ignore[arg-type]
    ).route()


def taken(policy: PolicyBuilder, max_tokens: int) -> int:
    """How many of twenty ordinary requests are running after half a second."""
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 1000)
    for _ in range(20):
        fleet.request("acme", prompt=10, max_tokens=max_tokens)
    fleet.run(until=500_000)
    return len(fleet.sent)


def test_only_who_is_over_within_reclaim_within_is_lent_to():
    # A token takes 10 ms on a full replica: 50 tokens are half a second.
    assert taken(half_reserved(), 1000) == 5
    assert taken(half_reserved(), 50) == 10
    assert taken(half_reserved(reclaim_within=SECOND // 4), 50) == 5
    assert taken(half_reserved(reclaim_within=60 * SECOND), 1000) == 10


LENGTHS = (1, 10, 24, 49, 99, 150)
"""Of answers, each a tenant's own: so each comes out as long as was reckoned with."""


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([SECOND // 4, SECOND // 2, SECOND]))
def test_what_is_lent_is_back_within_reclaim_within_whenever_its_holder_comes(seed, within):
    """Others fill all they may, the lent places too; the holder's five have theirs in time."""
    random_ = random.Random(seed)
    policy = half_reserved(reclaim_within=within)
    for length in LENGTHS:
        policy.tenant(f"of-{length}")
    fleet = VirtualFleet(
        policy.load(),
        output_of=lambda request: request.max_tokens or 1,
        token_us=10_000,  # as slow as is reckoned with
    )
    at = 0
    for _ in range(300):
        at += random_.randint(0, 60_000)
        length = random_.choice(LENGTHS)
        fleet.request(f"of-{length}", at=at, prompt=10, max_tokens=length)
    comes = 0
    while comes < 9 * SECOND:
        comes += random_.randint(SECOND, 3 * SECOND)
        for _ in range(5):
            fleet.request("globex", at=comes, prompt=10, max_tokens=20)
    most = 0

    def watch(fleet: VirtualFleet) -> None:
        nonlocal most
        most = max(most, fleet.state.pools["p"].ordinary_sequences)

    fleet.watch = watch
    fleet.run(until=30 * SECOND)
    assert most > 5, "some of it was lent"
    prefill = 50 * 1000  # of what others have in flight, and of the four before it
    for one in fleet.served.values():
        if one.decision.request.tenant == "globex":
            assert one.decision.reservation == "used"
            assert one.dispatched is not None
            assert one.dispatched - one.arrived <= within + prefill


def test_what_its_holder_does_not_lend_stays_free():
    assert taken(half_reserved(lends=False), 1) == 5


def test_each_reservation_lends_its_own_part():
    policy = half_reserved(lends=False)
    policy.reservation("fifth", "globex", input_per_minute=60_000, output_per_minute=6_000)
    reserve = policy.load().segment_at(START).reserve_of("p")
    assert reserve is not None
    assert reserve.kept_ppm == 700_000
    assert taken(policy, 1000) == 3
    assert taken(policy, 1) == 5


def test_a_tier_that_holds_back_leaves_room_for_others():
    policy = a_policy().model().pool(replicas=1, sequences=10)
    policy.tier("standard").tier("batch", band=50, holdback=0.2).tenant("acme").route()
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 1000)
    for _ in range(20):
        fleet.request(tier="batch", prompt=10)
    fleet.run(until=500_000)
    assert len(fleet.sent) == 8
    fleet.request(at=600_000, prompt=10)
    fleet.run(until=700_000)
    assert fleet.sent[-1].request.tier == "standard", "no wait for batch to end"


def isolated() -> PolicyBuilder:
    policy = a_policy().model().pool("own", isolation="reserved_only", replicas=1)
    policy.pool("p", replicas=1).tier(overflow_to="spill").tenant("acme").tenant("globex")
    return policy.reservation("r", "globex", pool="own", input_per_minute=60_000, output_per_minute=6_000)


def test_a_reserved_only_pool_serves_the_lane_and_nothing_else():
    fleet = VirtualFleet(isolated().route("all", "own").load())
    fleet.request("globex", prompt=1000, max_tokens=10)
    fleet.request("acme", prompt=10)
    fleet.request("globex", prompt=60_000, max_tokens=10)  # beyond its rate, would spill
    fleet.run()
    inside, stranger, beyond = fleet.served.values()
    assert inside.finished
    for refused in (stranger, beyond):
        assert (refused.decision.verdict, refused.decision.code) == ("refuse", "reservation_exceeded")
        assert refused.decision.steps[-1].says == "pool own serves only what is reserved"


def test_others_of_a_reserved_only_pool_go_to_its_fallback():
    fleet = VirtualFleet(isolated().route("all", "own", fallback=("p",)).load())
    fleet.request("acme", prompt=10)
    fleet.run()
    assert fleet.served["req1"].decision.pool == "p"


def test_who_waits_when_a_pool_becomes_reserved_only_keeps_its_place():
    policy = a_policy().model().pool(replicas=1).tier().tenant("acme").route()
    fleet = VirtualFleet(policy.load())
    for _ in range(8):
        fleet.request(prompt=1000)
    fleet.run(until=1000)
    closed = a_policy().model().pool(replicas=1, isolation="reserved_only").tier().tenant("acme").route()
    fleet.program = closed.load()
    activate(fleet.state, fleet.program, fleet.now)
    fleet.request(at=2000)
    fleet.run()
    assert [one.finished is not None for one in fleet.served.values()] == [True] * 8 + [False]


RATE = 300_000
"""Input tokens a minute: an eighth of the pool below."""


def conforming(fleet: VirtualFleet, sigma: int, until: int, random_: random.Random) -> None:
    """Requests of 500 to 2,000 tokens as a (sigma, rho) bucket lets them go: in bursts, then paced."""
    level, at, pauses = sigma, 0, 0
    while at < until:
        prompt = random_.randint(500, 2000)
        short = prompt - level
        if short > 0:
            wait = short * 60 * MILLION // RATE + 1
            if pauses == 4:  # saves up for a burst
                wait, pauses = sigma * 60 * MILLION // RATE, -1
            at += wait
            pauses += 1
            level = min(sigma, level + wait * RATE // (60 * MILLION))
            if prompt > level:
                continue
        level -= prompt
        fleet.request("acme", at=at, prompt=prompt, max_tokens=20)


@pytest.mark.parametrize("seed", [1, 2])
def test_conforming_requests_meet_their_objective_while_others_offer_five_times_the_pool(seed):
    """R8's promise on healthy capacity: 99.9 % within the objective, others with long prompts and answers."""
    objective, longest, within = 2 * SECOND, 200_000, SECOND
    policy = a_policy().model().pool(replicas=4, sequences=40, kv_tokens=150_000)
    policy.tier(max_wait=20 * SECOND, max_depth=100)
    policy.tenant("acme", weight=1)
    for number in range(5):
        policy.tenant(f"t{number}", weight=10)
    policy.reservation("r", "acme", input_per_minute=RATE, output_per_minute=RATE // 10).route()
    fleet = VirtualFleet(policy.load(), seed=seed, output_of=lambda request: request.max_tokens or 1)
    random_ = random.Random(seed)
    for number in range(5):
        at = 0
        while at < 40 * SECOND:
            at += random_.randint(1, 70_000)  # 28 a second each of 1,400 tokens: five times 40,000 a second
            fleet.request(
                f"t{number}", at=at, prompt=random_.randint(300, 2500), max_tokens=random_.choice([1, 400])
            )
    sigma = RATE * (objective - longest - within) // (60 * MILLION)
    conforming(fleet, sigma, 40 * SECOND, random_)
    fleet.run(until=50 * SECOND)
    promised = [one for one in fleet.served.values() if one.decision.request.tenant == "acme"]
    assert len(promised) > 120
    assert all(one.decision.reservation == "used" for one in promised)
    kept = sum(in_time(one, objective) for one in promised)
    assert kept >= len(promised) * 999 / 1000
    others = [one for one in fleet.served.values() if one.decision.request.tenant != "acme"]
    assert sum(one.refused is not None for one in others) > len(others) // 2, "really too many"


def in_time(one: Served, objective: int) -> bool:
    return one.first_byte is not None and one.ttft <= objective
