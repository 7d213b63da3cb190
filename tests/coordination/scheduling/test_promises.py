"""Who was promised the first byte in time, and who had it (R8): held against a leaky bucket kept by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import LengthRecord, ObjectiveRecord
from coordination.scheduling import fail, levels
from tests.support.programs import MINUTE, SECOND, START, PolicyBuilder, a_policy
from tests.support.virtual_fleet import VirtualFleet

RATE_IN, RATE_OUT = 300_000, 30_000
"""Tokens a minute: a quarter of two replicas' 1.2 M and 120 k."""
PREFILL_US = 100
"""A token, at 600 k a minute."""


def first_byte(target: int, least: int = 0, most: int | None = None) -> ObjectiveRecord:
    return ObjectiveRecord(metric="ttft", target=target, uncached_input=LengthRecord(min=least, max=most))


def reserved(
    *objectives: ObjectiveRecord, ttft: int = 2 * SECOND, reclaim: int = SECOND, **more: object
) -> PolicyBuilder:
    policy = a_policy().model().pool(replicas=2)
    policy.tier(max_wait=60 * SECOND, objectives=objectives or (first_byte(ttft),))
    policy.tenant("acme").tenant("globex")
    return policy.reservation(
        "r",
        "acme",
        input_per_minute=RATE_IN,
        output_per_minute=RATE_OUT,
        reclaim_within=reclaim,
        **more,  # type: ignore[arg-type]
    ).route()


@dataclass
class ByHand:
    """The definition, in fractions: a bucket that drains at rho, with sigma what each request may find."""

    rate: int
    """Tokens a minute."""
    level: Fraction = Fraction(0)
    at: int = START

    def room(self, amount: int, slack: int, now: int) -> bool:
        self.level = max(Fraction(0), self.level - Fraction((now - self.at) * self.rate, MINUTE))
        self.at = now
        sigma = self.rate * slack * 1_000_000 // MINUTE / Fraction(1_000_000)
        return self.level + min(Fraction(amount), sigma) <= sigma


def kept(fleet: VirtualFleet) -> tuple[int, int]:
    (lane,) = levels(fleet.state, "acme", fleet.now).reservations
    return lane.promised, lane.honoured


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([SECOND // 2, SECOND, 2 * SECOND]), st.booleans())
def test_exactly_those_conform_that_a_bucket_kept_by_hand_lets_in(seed, ttft, lends):
    random_ = random.Random(seed)
    reclaim = SECOND // 4
    fleet = VirtualFleet(
        reserved(ttft=ttft, reclaim=reclaim, lends=lends, overflow_to="spill").load(),
        output_of=lambda request: request.max_tokens or 1,
    )
    at = 0
    for number in range(60):
        at += random_.choice([0, 1000, 40_000, 300_000])
        # Each answer is as long as was held for it, so that nothing is corrected afterwards.
        fleet.request("acme", at=at, prompt=random_.randint(1, 3000), max_tokens=50, request_id=f"r{number}")
    fleet.run()
    sides = ByHand(RATE_IN), ByHand(RATE_OUT)
    expected = []
    for number in range(60):
        served = fleet.served[f"r{number}"]
        request = served.decision.request
        amounts = (request.prompt_tokens, 50)
        slack = ttft - request.prompt_tokens * PREFILL_US - reclaim * lends
        conforms = served.decision.reservation == "used" and slack >= 0
        rooms = [side.room(n, slack, served.arrived) for side, n in zip(sides, amounts, strict=True)]
        if conforms and all(rooms):
            expected.append(served)
            for side, amount in zip(sides, amounts, strict=True):
                side.level += amount
    promised = [one for one in fleet.served.values() if one.decision.promise is not None]
    assert promised == expected
    assert kept(fleet) == (len(expected), sum(one.ttft <= ttft for one in expected))


def test_what_was_held_and_not_used_makes_room_for_the_next():
    """Of the first answer 1,024 tokens are held, all that two seconds have room for; ten are used."""
    fleet = VirtualFleet(reserved(ttft=2 * SECOND, reclaim=0).load(), output_of=lambda request: 10)
    for number in range(3):
        fleet.request("acme", at=number * SECOND // 2, prompt=10)
    fleet.request("acme", at=SECOND + 1, prompt=10)
    fleet.run()
    told = [one.decision.promise is not None for one in fleet.served.values()]
    assert told == [True, True, True, False], "as the last one comes, the third is not over"


def test_a_storm_of_others_does_not_touch_what_is_promised():
    """Others ask for five times the fleet; of the promised, all have their first byte in time."""
    fleet = VirtualFleet(reserved(ttft=3 * SECOND).load(), output_of=lambda request: 20)
    for number in range(400):
        fleet.request("globex", at=number * 25_000, prompt=4000, max_tokens=20)
    for number in range(45):
        fleet.request("acme", at=number * 220_000, prompt=1000, max_tokens=20)
    fleet.run(until=12 * SECOND)
    promised, honoured = kept(fleet)
    assert promised > 40
    assert honoured == promised


def test_a_first_byte_that_comes_late_is_promised_and_not_honoured():
    fleet = VirtualFleet(reserved(ttft=SECOND, reclaim=0).load())
    for url in fleet.program.pools["p"].replicas:  # the engine is ten times as slow as its pool says
        fleet._free[url] = START + 10 * SECOND
    fleet.request("acme", prompt=1000, max_tokens=10)
    fleet.run()
    assert kept(fleet) == (1, 0)


@pytest.mark.parametrize(("ttft", "reclaim", "lends"), [(SECOND, SECOND, True), (90_000, 0, True)])
def test_where_no_time_is_left_nothing_is_promised(ttft, reclaim, lends):
    fleet = VirtualFleet(reserved(ttft=ttft, reclaim=reclaim, lends=lends).load())
    fleet.request("acme", prompt=1000, max_tokens=10)
    fleet.run()
    assert fleet.served["req1"].decision.reservation == "used"
    assert kept(fleet) == (0, 0)


def test_the_tightest_objective_of_its_length_is_the_one_that_counts():
    policy = reserved(
        first_byte(3 * SECOND), first_byte(2 * SECOND, most=1000), first_byte(SECOND, least=5000)
    )
    fleet = VirtualFleet(policy.load())
    for number, prompt in enumerate((1000, 1001, 5000)):
        fleet.request("acme", at=number * 30 * SECOND, prompt=prompt, max_tokens=10)
    fleet.run()
    told = [one.decision.promise for one in fleet.served.values()]
    within = [one and one.until - one.taken_at for one in told]
    assert within == [2 * SECOND, 3 * SECOND, None], (
        "5,000 tokens take half of a second, taking back one more"
    )


def test_who_leaves_in_time_was_promised_nothing_and_who_leaves_late_was():
    fleet = VirtualFleet(reserved(ttft=SECOND, reclaim=0).load())
    for bit in fleet.state.pool("p", START).replicas.values():
        bit.backlog_us = 10 * SECOND
        fleet.state.pool("p", START).refresh(bit)
    fleet.request("acme", prompt=100, max_tokens=1, request_id="early")
    fleet.request("acme", at=1, prompt=100, max_tokens=1, request_id="late")
    fleet.run(until=SECOND // 2)
    assert fleet.leave("early")
    assert kept(fleet) == (0, 0)
    fleet.run(until=2 * SECOND)
    fleet.now = START + 2 * SECOND
    assert fleet.leave("late")
    assert kept(fleet) == (1, 0)


def test_a_failure_for_good_breaks_the_promise_and_a_retry_in_time_keeps_it():
    fleet = VirtualFleet(reserved(ttft=SECOND, reclaim=0).load())
    fleet.request("acme", prompt=100, max_tokens=1)
    fleet.run(until=0)
    (sent,) = fleet.sent
    fleet._events.clear()
    assert fail(fleet.program, fleet.state, sent, "connect", START) is None, "it waits for another replica"
    fleet.dispatch_all()
    fleet.run()
    assert kept(fleet) == (1, 1)
    again = VirtualFleet(reserved(ttft=SECOND, reclaim=0).load())
    again.request("acme", prompt=100, max_tokens=1)
    again.run(until=0)
    (sent,) = again.sent
    refused = fail(again.program, again.state, sent, "timeout", START)
    assert refused is not None
    assert kept(again) == (1, 0)


def test_what_cannot_be_timed_is_promised_nothing():
    fleet = VirtualFleet(reserved().load())
    fleet.request("acme", prompt=100, max_tokens=1).streamed = False
    fleet.run()
    assert kept(fleet) == (0, 0)
