"""Within one tenant: by arrival, by deadline, or who was served least (R17)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling import Run, activate
from coordination.scheduling.turns import level
from tests.support.programs import SECOND, START, PolicyBuilder, a_policy
from tests.support.virtual_fleet import VirtualFleet


def ordered(order: str, **tier: object) -> PolicyBuilder:
    policy = a_policy().model().pool(replicas=1).tier(order=order, max_wait=100 * SECOND, **tier)  # type: ignore[arg-type]
    return policy.tenant().route()


def sent_ids(fleet: VirtualFleet) -> list[str]:
    """In the order in which they went, without the four that went at once (their prefill fills the gate)."""
    return [sent.request.request_id for sent in fleet.sent if not sent.request.request_id.startswith("first")]


def busy(policy: PolicyBuilder) -> VirtualFleet:
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 1)
    for number in range(4):
        fleet.request(prompt=1000, request_id=f"first{number}", deadline=START + number)
    return fleet


def test_the_earliest_deadline_goes_first_also_before_those_that_have_a_home():
    fleet = busy(ordered("deadline"))
    for number in range(30):
        fleet.request(at=1000 + number, request_id=f"r{number}", deadline=START + (90 - number) * SECOND)
    fleet.run()
    assert sent_ids(fleet) == [f"r{number}" for number in reversed(range(30))]


def test_who_states_no_deadline_has_until_max_wait():
    fleet = busy(ordered("deadline"))
    fleet.request(at=1000, request_id="none")
    fleet.request(at=1001, request_id="late", deadline=START + 200 * SECOND)
    fleet.request(at=1002, request_id="soon", deadline=START + 99 * SECOND)
    fleet.run()
    assert sent_ids(fleet) == ["soon", "none", "late"]


@pytest.mark.parametrize(
    ("attained", "expected"),
    [(0, 0), (7_999, 0), (8_000, 1), (23_999, 1), (24_000, 2), (56_000, 3), (1_000_000, 6)],
)
def test_levels_are_powers_of_two_of_8k(attained, expected):
    """floor log2(1 + attained / 8k)"""
    assert level(attained) == expected


def test_runs_that_were_served_least_go_first_and_those_that_have_begun_before_new_ones():
    fleet = busy(ordered("las"))
    asked = [
        ("long", Run("long", 9, 60_000)),
        ("new", Run("new", 1, 0)),
        ("outside", None),
        ("begun", Run("begun", 2, 5_000)),
        ("middle", Run("middle", 3, 10_000)),
    ]
    for number, (name, run) in enumerate(asked):
        fleet.request(at=1000 + number, request_id=name, run=run)
    fleet.run()
    assert sent_ids(fleet) == ["begun", "new", "outside", "middle", "long"]


def test_in_a_run_the_earlier_step_goes_first():
    fleet = busy(ordered("las"))
    for number, (run, step) in enumerate([("a", 3), ("b", 2), ("a", 2), ("b", 3), ("a", 3)]):
        fleet.request(at=1000 + number, request_id=f"{run}{step}.{number}", run=Run(run, step, 100))
    fleet.run()
    assert sent_ids(fleet) == ["a2.2", "a3.0", "a3.4", "b2.1", "b3.3"]


def test_a_long_run_is_never_starved():
    """After half of max_wait it counts as not served, and is ahead of whoever came later."""
    policy = a_policy().model().pool(replicas=1).tier(order="las", max_wait=8 * SECOND, overflow_to="queue")
    fleet = VirtualFleet(policy.tenant().route().load(), output_of=lambda request: 1)
    fleet.request(at=SECOND, request_id="long", run=Run("long", 40, 2_000_000))
    for number in range(200):  # twice what the replica serves
        fleet.request(at=number * 50_000, prompt=1000, run=Run(f"short{number}", 2, 100))
    fleet.run()
    waited = fleet.served["long"]
    assert waited.dispatched is not None
    assert 3.9 * SECOND < waited.dispatched - waited.arrived < 5.5 * SECOND


def test_three_looping_agents_do_not_move_the_first_bytes_of_people():
    """One tenant, las: people's p95 with agents that always want more is near what it is without them."""

    def p95(agents: int) -> int:
        fleet = VirtualFleet(ordered("las").load(), output_of=lambda request: 1)
        random_ = random.Random(4)
        at = 0
        for number in range(120):
            at += random_.randint(1, 400_000)  # half of what the replica serves
            fleet.request(at=at, prompt=1000, request_id=f"person{number}", run=Run(f"p{number}", 2, 500))
        for agent in range(agents):
            for step in range(80):
                run = Run(f"agent{agent}", step + 1, 20_000 * (step + 1))
                fleet.request(at=step * 300_000 + agent, prompt=2000, request_id=f"{agent}.{step}", run=run)
        fleet.run(until=at)
        people = [one for name, one in fleet.served.items() if name.startswith("person")]
        waits = sorted(one.ttft for one in people if one.first_byte is not None)
        assert len(waits) > 110
        return waits[len(waits) * 95 // 100]

    # What is in flight cannot be taken back: the gate, and one prompt of an agent.
    assert p95(3) <= p95(0) + 250_000 + 200_000


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(1, 5),
            st.sampled_from([0, 100, 9_000, 90_000]),
            st.integers(0, 400_000),
            st.integers(1, 40),
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(["deadline", "las"]),
    st.booleans(),
)
def test_whatever_the_order_everybody_is_served_once_and_nothing_is_left(asked, order, switch):
    """Two tiers of one band that order differently share leaves; halfway the policy may change its order."""

    def policy(first: str) -> PolicyBuilder:
        built = a_policy().model().pool(replicas=2).tier("x", order=first, max_wait=1000 * SECOND)
        return built.tier("y", max_wait=500 * SECOND).tenant().route()

    fleet = VirtualFleet(policy(order).load(), output_of=lambda request: 1)
    for number, (run, step, attained, at, deadline) in enumerate(asked):
        fleet.request(
            at=at,
            tier="y" if number % 3 == 0 else "x",
            prompt=3000,
            run=Run(f"run{run}", step, attained) if number % 2 else None,
            deadline=START + at + deadline * 100 * SECOND,
        )
    fleet.run(until=300_000)
    if switch:
        fleet.program = policy("fcfs").load()
        activate(fleet.state, fleet.program, fleet.now)
    fleet.run()
    assert sorted(sent.request.request_id for sent in fleet.sent) == sorted(fleet.served)
    pool = fleet.state.pools["p"]
    assert (pool.waiting, fleet.state.tickets) == (0, {})
    for queue in pool.queues:
        assert (queue.depth, queue.parked) == (0, {})
    assert all(one.parked == one.parked_us == 0 for one in pool.replicas.values())
