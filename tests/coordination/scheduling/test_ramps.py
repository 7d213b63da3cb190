"""How fast a tenant's use of a tier may grow (R10)."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION, RampRecord
from coordination.scheduling import (
    Decision,
    Request,
    State,
    Usage,
    activate,
    admit,
    dispatch,
    new_state,
    settle,
)
from coordination.scheduling.ramps import Ramp
from tests.support.programs import MINUTE, SECOND, START, PolicyBuilder, a_policy, limit

IDS = count()


def record(growth: int = MILLION // 2, minutes: int = 15, floor: int = 1000) -> RampRecord:
    return RampRecord(growth_ppm=growth, per=minutes * MINUTE, floor=floor)


def a_ramp(**more: int) -> Ramp:
    return Ramp("acme", "priority", record(**more), START)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5 * 60), st.integers(1, 3000)), max_size=60),
    st.integers(0, 2 * MILLION),
    st.integers(1, 5),
    st.integers(1, 2000),
)
def test_the_rate_is_the_floor_or_so_much_more_than_the_mean_of_full_minutes(uses, growth, minutes, floor):
    ramp = a_ramp(growth=growth, minutes=minutes, floor=floor)
    passed: list[tuple[int, int]] = []
    now = START
    for gap, amount in uses:
        now += gap * SECOND
        if ramp.room(amount, now) >= 0:
            ramp.take(amount, now)
            passed.append((now, amount))
        first = now // MINUTE - minutes
        mean_times = sum(n for at, n in passed if first <= at // MINUTE < now // MINUTE)
        grown = (MILLION + growth) * mean_times // (MILLION * minutes)
        assert ramp.limit == max(floor, grown)
        assert (
            sum(n for at, n in passed if at // MINUTE == now // MINUTE and n <= ramp.limit) <= 3 * ramp.limit
        )


def test_use_grows_by_its_rate_and_not_faster():
    """Ever more is asked for: what passes in a minute is at most half more than the mean before."""
    ramp, passed = a_ramp(minutes=5, floor=600), []
    for minute in range(16):
        through = 0
        for step in range(60):
            now = START + minute * MINUTE + step * SECOND
            while ramp.room(10, now) >= 0:
                ramp.take(10, now)
                through += 10
        passed.append(through)
    for minute in range(6, 16):
        mean = sum(passed[minute - 5 : minute]) / 5
        assert passed[minute] <= max(600, 1.5 * mean) * 2 + 10, "its burst and its rate"
    assert passed[-1] > 600 * 10, "but it does grow"


def test_a_tenant_that_pauses_starts_from_the_floor_again():
    ramp = a_ramp(minutes=2, floor=100)
    for minute in range(6):
        now = START + minute * MINUTE
        while ramp.room(10, now) >= 0:
            ramp.take(10, now)
    assert ramp.room(10, START + 6 * MINUTE) > 100
    assert ramp.room(10, START + 20 * MINUTE) == 100


def test_what_was_held_in_vain_is_no_use_to_grow_from():
    ramp = a_ramp(minutes=1, floor=100)
    ramp.take(100, START)
    ramp.correct(-90, START, START + 30 * SECOND)
    ramp.room(1, START + 60 * SECOND)
    assert ramp.limit == 100
    honest = a_ramp(minutes=1, floor=100)
    honest.take(100, START)
    honest.room(1, START + 60 * SECOND)
    assert honest.limit == 150


def ramped(overflow_to: str = "downgrade:standard", **more: object) -> PolicyBuilder:
    policy = (
        a_policy().model().pool().tier("priority", band=300, overflow_to=overflow_to, ramp=(0, MINUTE, 2000))
    )
    return policy.tier("standard").tenant("acme").tenant("globex").route()


def ask(state: State, tenant: str = "acme", now: int = START) -> Decision:
    request = Request(
        request_id=f"ramp{next(IDS)}",
        tenant=tenant,
        model="m",
        tier="priority",
        scale=False,
        prompt_tokens=900,
        max_tokens=100,
        blocks=(),
        arrived=now,
        stickiness="s",
    )
    return admit(state.program, state, request, now)


def state_of(policy: PolicyBuilder) -> State:
    return new_state(policy.load(), route_salt="salt", seed=1, now=START)


def test_what_is_beyond_the_ramp_is_served_and_billed_as_the_lower_tier():
    state = state_of(ramped())
    decisions = [ask(state) for _ in range(3)]
    assert [(one.code, one.tier) for one in decisions] == [(None, "priority")] * 2 + [(None, "standard")]
    assert [step.rule for step in decisions[2].steps if step.rule in ("R10", "R12")] == ["R10", "R12"]
    assert ask(state, "globex").tier == "priority", "each tenant has its own"
    assert ask(state, now=START + MINUTE).tier == "priority"


@pytest.mark.parametrize("action", ["refuse", "queue", "spill"])
def test_a_tier_that_downgrades_to_none_refuses_with_when_to_come_back(action):
    state = state_of(ramped(action))
    refused = [ask(state) for _ in range(3)][2]
    assert refused.code == "rate_limit_exceeded"
    assert "2000 tokens a minute" in refused.message
    assert refused.retry_after_us is not None
    assert 30 * SECOND <= refused.retry_after_us <= 45 * SECOND
    assert ask(state, now=START + refused.retry_after_us).code is None


def test_what_was_not_used_is_given_back():
    state = state_of(ramped())
    ask(state)
    ask(state)
    assert ask(state).tier == "standard"
    for sent in dispatch(state.program, state, "p", START):
        settle(state.program, state, sent, Usage(100, 0, 10), "completed", START)
    assert ask(state).tier == "priority"


def test_reserved_traffic_is_not_ramped():
    policy = ramped().reservation(
        "r", "acme", tier="priority", input_per_minute=600_000, output_per_minute=60_000
    )
    state = state_of(policy)
    assert {(one.tier, one.reservation) for one in (ask(state) for _ in range(9))} == {("priority", "used")}


def test_a_new_policy_keeps_what_was_used_and_takes_its_own_figures():
    state = state_of(ramped())
    ask(state)
    policy = a_policy().model().pool().tier("standard")
    policy.tier("priority", band=300, overflow_to="downgrade:standard", ramp=(0, MINUTE, 1500))
    policy.tenant("acme").route()
    activate(state, policy.load(), START)
    assert ask(state).tier == "standard", "1000 of 1500 are used"
    assert ("globex", "priority") not in state.ramps


def test_a_refusal_by_the_rate_limits_does_not_count_as_use():
    policy = ramped().quota("q", "acme", limit("requests", "1m", 1))
    state = state_of(policy)
    assert [ask(state).code for _ in range(3)] == [None, "rate_limit_exceeded", "rate_limit_exceeded"]
    assert state.ramps["acme", "priority"].meter.remaining(START) == 1000
