"""Holds, charges and refunds: nothing is lost and nothing is counted twice."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION
from coordination.scheduling import Usage, dispatch, fail, first_byte, progress, settle
from coordination.scheduling.decisions import Dispatch
from tests.support.programs import MINUTE, SECOND, START, a_policy, limit, one_pool
from tests.support.virtual_fleet import VirtualFleet


def limited() -> VirtualFleet:
    policy = one_pool("acme", replicas=3).quota(
        "q",
        "acme",
        limit("requests", "day", 10**6),
        limit("input_tokens", "day", 10**9),
        limit("output_tokens", "day", 10**9),
        limit("total_tokens", "day", 10**9),
        limit("spend", "day", 10**15),
        concurrency=1000,
    )
    return VirtualFleet(policy.prices(("m", 0, 10, 1, 40), multipliers={"standard": 1_500_000}).load())


def used(fleet: VirtualFleet) -> dict[str, int]:
    return {key[2]: meter.limit - meter.remaining(fleet.now) for key, meter in fleet.state.meters.items()}


def send(fleet: VirtualFleet, **request: object) -> Dispatch:
    fleet.request(at=fleet.now - START, **request)  # type: ignore[arg-type]
    before = len(fleet.sent)
    fleet.run(until=fleet.now - START)
    fleet._events.clear()
    return fleet.sent[before]


OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from(["completed", "aborted", "fail", "leave", "progress"]),
        st.integers(1, 3000),
        st.integers(0, 3000),
        st.integers(0, 3000),
        st.integers(0, 5000),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(OUTCOMES)
def test_what_the_meters_hold_in_the_end_is_what_was_served(outcomes):
    fleet = limited()
    program, state = fleet.program, fleet.state
    expected = dict.fromkeys(["requests", "input_tokens", "output_tokens", "total_tokens", "spend"], 0)
    paid = 0
    for outcome, prompt, uncached, cached, output in outcomes:
        sent = send(fleet, prompt=prompt)
        if outcome == "fail":
            attempts = 1
            while fail(program, state, sent, "connect", fleet.now) is None:
                (sent,) = dispatch(program, state, "p", fleet.now)
                attempts += 1
            assert attempts == 3
            for replica in state.pools["p"].replicas.values():
                replica.health.uncordon()
            state.pools["p"].refresh_health(fleet.now)
            continue
        if outcome == "progress":
            first_byte(program, state, sent, fleet.now)
            for tokens in range(0, output, 256):
                progress(program, state, sent, tokens, fleet.now)
            assert used(fleet)["output_tokens"] >= expected["output_tokens"] + max(0, output - 512)
        ending = "completed" if outcome == "completed" else "aborted"
        charge = settle(program, state, sent, Usage(uncached, cached, output), ending, fleet.now)  # type: ignore[arg-type]
        expected["requests"] += 1
        expected["input_tokens"] += uncached + cached
        expected["output_tokens"] += output
        expected["total_tokens"] += uncached + cached + output
        spend = (uncached * 10 + cached + output * 40) * 3 // 2
        assert charge.spend_nano == spend
        expected["spend"] += spend
        paid += program.models["m"].cost(uncached, cached, output)
        assert charge.fairness_cost == program.models["m"].cost(uncached, cached, output)
    assert used(fleet) == expected or not outcomes
    assert all(slots.used == 0 for slots in state.slots.values())
    queue = state.pools["p"].queue(200)
    if outcomes:
        assert queue.leaf(("acme",)).start == pytest.approx(paid, abs=len(outcomes) * 4)
    for replica in state.pools["p"].replicas.values():
        assert (replica.sequences, replica.kv_tokens, replica.backlog_us, replica.parked) == (0, 0, 0, 0)


def test_an_attempt_settles_once():
    fleet = limited()
    sent = send(fleet)
    settle(fleet.program, fleet.state, sent, Usage(1000, 0, 10), "completed", fleet.now)
    with pytest.raises(ValueError, match="already over"):
        settle(fleet.program, fleet.state, sent, Usage(1000, 0, 10), "completed", fleet.now)
    with pytest.raises(ValueError, match="already over"):
        fail(fleet.program, fleet.state, sent, "reset", fleet.now)


def test_a_failed_attempt_cannot_settle_behind_its_retrys_back():
    fleet = limited()
    first = send(fleet)
    assert fail(fleet.program, fleet.state, first, "connect", fleet.now) is None
    (second,) = dispatch(fleet.program, fleet.state, "p", fleet.now)
    assert (second.attempt, second.replica != first.replica) == (2, True)
    with pytest.raises(ValueError, match="already over"):
        settle(fleet.program, fleet.state, first, Usage(1, 0, 1), "completed", fleet.now)
    settle(fleet.program, fleet.state, second, Usage(1, 0, 1), "completed", fleet.now)


@pytest.mark.parametrize(
    ("reason", "retried", "code"),
    [
        ("connect", True, "upstream_failed"),
        ("reset", True, "upstream_failed"),
        ("status_503", True, "upstream_failed"),
        ("timeout", False, "upstream_timeout"),
    ],
)
def test_which_failures_are_retried_and_what_they_become(reason, retried, code):
    fleet = limited()
    sent = send(fleet)
    attempts = 1
    while (refused := fail(fleet.program, fleet.state, sent, reason, fleet.now)) is None:
        (sent,) = dispatch(fleet.program, fleet.state, "p", fleet.now)
        attempts += 1
    assert attempts == (3 if retried else 1)
    assert refused.code == code
    assert refused.verdict == "refuse"
    assert used(fleet)["total_tokens"] == 0


def test_a_retry_keeps_its_place_before_those_that_came_later():
    fleet = VirtualFleet(one_pool(replicas=2).load())
    for number in range(9):
        fleet.request(prompt=5000, request_id=f"r{number}")
    fleet.run(until=0)
    failed = fleet.sent[0]
    seen = len(fleet.sent)
    fleet._events = [event for event in fleet._events if event[3] is not failed]
    assert fail(fleet.program, fleet.state, failed, "status_503", fleet.now) is None
    fleet.dispatch_all()
    fleet.run()
    order = [sent.request.request_id for sent in fleet.sent[seen:]]
    assert order.index("r0") <= 2


def test_the_hold_learns_from_the_tenants_own_answers():
    fleet = VirtualFleet(one_pool("acme", "globex").load(), output_of=lambda request: 200)
    for number in range(10):
        fleet.request(at=number * SECOND)
    fleet.run()
    fleet.request(at=MINUTE, request_id="known")
    fleet.request("globex", at=MINUTE, request_id="cold")
    fleet.run()
    assert fleet.served["known"].decision.hold.output == 200
    assert fleet.served["cold"].decision.hold.output == 1024


def test_a_lane_request_does_not_move_the_fairness_counter():
    policy = a_policy().model().pool().tier().tenant("acme").route().reservation("r", "acme")
    fleet = VirtualFleet(policy.load())
    for number in range(5):
        fleet.request(at=number * SECOND, max_tokens=64)
    fleet.run()
    pool = fleet.state.pools["p"]
    assert all(queue.band == pool.lane.band or not queue.leaves() for queue in pool.queues)
    bucket = fleet.state.lanes["r"].input
    assert fleet.served["req1"].charge is not None
    assert fleet.served["req1"].charge.reservation == "r"
    assert bucket.burst - bucket.remaining(fleet.now) < 5000 * MILLION


def test_leaving_while_waiting_is_free():
    fleet = limited()
    for number in range(20):
        fleet.request(prompt=5000, request_id=f"r{number}")
    fleet.run(until=0)
    waiting = list(fleet.state.tickets)
    before = used(fleet)["requests"]
    for request_id in waiting:
        assert fleet.leave(request_id)
    assert used(fleet)["requests"] == before - len(waiting)
    assert fleet.state.pools["p"].waiting == 0
    assert not fleet.leave("nobody")


def test_each_class_of_tokens_burns_what_the_reservation_says_and_counts_in_every_currency():
    policy = one_pool().quota(
        "q", "acme", limit("total_tokens", "1h", 10**6), limit("output_tokens", "1h", 10**6)
    )
    policy.reservation("r", "acme", input_per_minute=600_000, output_per_minute=60_000)
    (held,) = policy.reservations
    vector = msgspec.structs.replace(held.burn, cache_write_ppm=2 * MILLION, reasoning_ppm=MILLION // 2)
    policy.reservations = [msgspec.structs.replace(held, burn=vector)]
    fleet = VirtualFleet(policy.load())
    fleet.request(prompt=1000, max_tokens=100)
    fleet.run(until=0)
    (sent,) = fleet.sent
    charge = settle(
        fleet.program,
        fleet.state,
        sent,
        Usage(500, 200, 30, cache_write=300, reasoning=40),
        "completed",
        START,
    )
    lane = fleet.state.lanes["r"]
    assert lane.input.burst - lane.input.remaining(START) == 500 * MILLION + 20 * MILLION + 600 * MILLION
    assert lane.output.burst - lane.output.remaining(START) == 30 * MILLION + 20 * MILLION
    assert charge.fairness_cost == fleet.program.models["m"].cost(800, 200, 70)
    assert charge.hold_error == 1070 - 1100


def test_by_default_what_is_written_to_a_cache_burns_as_computed_and_reasoning_as_output():
    fleet = VirtualFleet(one_pool().reservation("r", "acme").load())
    fleet.request(prompt=1000, max_tokens=100)
    fleet.run(until=0)
    settle(fleet.program, fleet.state, fleet.sent[0], Usage(0, 0, 0, 1000, 100), "completed", START)
    lane = fleet.state.lanes["r"]
    assert lane.input.burst - lane.input.remaining(START) == 1000 * MILLION
    assert lane.output.burst - lane.output.remaining(START) == 100 * MILLION
