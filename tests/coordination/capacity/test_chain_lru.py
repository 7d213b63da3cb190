"""Chains kept by the strand, against a list that keeps block by block."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.capacity import ChainLru
from tests.coordination.capacity.test_block_cache import chain

paths = st.lists(st.integers(0, 2), min_size=1, max_size=7).map(lambda parts: chain(*parts))


@settings(max_examples=150)
@given(st.lists(paths, max_size=40), st.integers(1, 15))
def test_blocks_leave_in_the_order_a_list_of_them_gives(used, capacity):
    lru = ChainLru()
    order: list[int] = []
    for names in used:
        here = [name in order for name in names]
        assert lru.depth(names, 0, len(names)) == sum(here)
        assert lru.take(names, 0, len(names)) == sum(here)
        lru.put(names, 0, len(names))
        order = [name for name in order if name not in names] + names[::-1]
        assert lru.size == len(order)
        surplus = max(0, len(order) - capacity)
        assert lru.oldest(surplus) == order[:surplus]
        lru.drop(surplus)
        order = order[surplus:]
        assert all(name in lru for name in order)
    assert lru.oldest(100) == order
    lru.drop(100)
    assert lru.size == 0


def test_nothing_of_what_has_left_is_remembered():
    lru = ChainLru()
    for number in range(0, 4096, 16):
        names = list(range(number, number + 16))
        lru.put(names, 0, 16)
        lru.drop(lru.size - 72)
    assert lru.size == 72
    assert len(lru._starts) == len(lru._order) == 5
    assert lru.depth(names, 0, 16) == 16
    assert lru.depth(list(range(16)), 0, 16) == 0
