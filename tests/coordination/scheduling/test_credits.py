"""More of a limit for the period at hand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling import credit, levels, new_state, remember, restore
from coordination.scheduling.limits import CalendarCounter, Gcra
from coordination.scheduling.state import State
from tests.coordination.scheduling.test_lending import Part, let_in, written
from tests.support.programs import MINUTE, SECOND, START, limit, one_pool

DAY = 24 * 3600 * SECOND


def state_of(*limits) -> State:
    return new_state(one_pool().quota("q", "acme", *limits).load(), route_salt="s", seed=1, now=START)


def passes(state: State, now: int = START, tenant: str = "acme") -> int:
    """How many requests of ten tokens are let in until one is not."""
    count = 0
    while let_in(state, tenant, 10, now):
        count += 1
    return count


def test_a_credit_lets_just_so_much_more_pass_and_only_in_its_period():
    state = state_of(limit("requests", "day", 3))
    assert passes(state) == 3
    assert credit(state, "q", "requests", "day", 2, START, START)
    assert passes(state) == 2
    assert passes(state, START + DAY) == 3
    assert not credit(state, "q", "requests", "day", 2, START, START + DAY), "that day is over"


def test_a_credit_beforehand_counts_as_one_afterwards():
    state = state_of(limit("requests", "day", 3))
    assert credit(state, "q", "requests", "day", 2, START, START)
    assert [one.used for one in levels(state, "acme", START).limits] == [0]
    assert passes(state) == 5


def test_a_reset_is_as_if_nothing_had_been_used():
    state = state_of(limit("requests", "1m", 3), limit("requests", "month", 4))
    assert passes(state) == 3
    assert credit(state, "q", "requests", "1m", None, START, START)
    assert passes(state) == 1, "of the month one was left"
    assert credit(state, "q", "requests", "month", None, START, START)
    assert passes(state) == 2
    assert not credit(state, "q", "requests", "1m", None, START - MINUTE, START), "drained by itself"


def test_what_the_policy_does_not_limit_is_not_credited():
    state = state_of(limit("requests", "day", 3))
    assert not credit(state, "q", "requests", "month", 2, START, START)
    assert not credit(state, "other", "requests", "day", 2, START, START)


def test_a_part_of_a_shared_limit_rises_with_it():
    tree = {"acme": Part(100), "acme/a": Part(40, guaranteed=40)}
    state = new_state(written(tree, "day").load(), route_salt="s", seed=1, now=START)
    assert passes(state, tenant="acme/a") == 4
    assert credit(state, "acme-a", "input_tokens", "day", 20, START, START)
    assert passes(state, tenant="acme/a") == 2


def test_a_credit_outlives_a_restart():
    state = state_of(limit("requests", "day", 3))
    credit(state, "q", "requests", "day", 2, START, START)
    known = remember(state, START)
    again = state_of(limit("requests", "day", 3))
    restore(again, known, START)
    assert passes(again) == 5


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(0, 60), st.none() | st.integers(1, 60), st.integers(0, MINUTE - 1))
def test_no_credit_gives_more_than_its_amount(most, used, amount, later):
    counter = CalendarCounter(("quota", "q", "requests", "day"), most, "day", "UTC", START)
    bucket = Gcra(("quota", "q", "requests", "1m"), most, MINUTE, most, START)
    counter.take(used, START)
    bucket.take(used, START)
    now = START + later
    left = most - counter.used
    before = bucket.remaining(now)
    counter.give(amount)
    bucket.give(amount, now)
    assert counter.remaining(now) == (most if amount is None else max(0, left + amount))
    assert bucket.remaining(now) <= most
    assert bucket.remaining(now) == most if amount is None else bucket.remaining(now) <= before + amount
    bucket.correct(-used, START, now)
    assert bucket.remaining(now) <= most
