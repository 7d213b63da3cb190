"""The order of least loaded replicas holds each of them once, whatever they computed lately (R21)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling.replicas import RECENT_SLICES
from tests.support.programs import SECOND, START, a_policy
from tests.support.virtual_fleet import VirtualFleet

REPLICAS = 3


def a_pool():
    policy = a_policy().model().pool(replicas=REPLICAS).tier().tenant().route()
    fleet = VirtualFleet(policy.load(), output_of=lambda _: 1)
    return fleet.state.pools["p"]


def order_of(pool):
    return [replica.url for replica in pool.least_loaded(pool.usable_mask, REPLICAS)]


def test_work_taken_back_after_its_minute_takes_nothing_from_what_came_since():
    pool = a_pool()
    first, second, third = pool.replicas.values()
    pool.computed(first, 9_000)
    pool.advance(START + 120 * SECOND)
    pool.computed(first, 100)
    pool.computed(second, 50)
    pool.computed(first, -8_000)
    assert (first.recent, second.recent, third.recent) == (0, 50, 0)
    assert order_of(pool) == [first.url, third.url, second.url]


def test_work_taken_back_in_the_next_slice_is_work_that_was_never_done():
    pool = a_pool()
    first = pool.replicas[0]
    pool.computed(first, 9_000)
    pool.advance(START + 15 * SECOND)
    pool.computed(first, -8_000)
    assert first.recent == 1_000
    pool.advance(START + 55 * SECOND)
    assert first.recent == 1_000
    pool.advance(START + 75 * SECOND)
    assert first.recent == 0


WORK = st.tuples(st.integers(0, REPLICAS - 1), st.integers(-10_000, 10_000), st.integers(0, 40))


@settings(max_examples=150)
@given(st.lists(WORK, max_size=40))
def test_each_replica_stands_in_the_order_once(story):
    pool = a_pool()
    now = START
    for bit, tokens, seconds in story:
        now += seconds * SECOND
        pool.advance(now)
        replica = pool.replicas[bit]
        pool.computed(replica, tokens)
        assert replica.recent == sum(replica.recent_slices) >= 0
        assert min(replica.recent_slices) >= 0
        assert len(replica.recent_slices) == RECENT_SLICES
        listed = order_of(pool)
        assert sorted(listed) == sorted(pool.by_url)
        assert listed == sorted(listed, key=lambda url: (pool.by_url[url].recent, pool.by_url[url].bit))
