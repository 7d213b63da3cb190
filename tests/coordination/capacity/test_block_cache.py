"""The KV pool against an oracle that keeps every block as an object and looks everything up slowly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from coordination.capacity import BlockCache


def chain(*parts: int) -> list[int]:
    """Names of a chain of blocks: each stands for all parts up to it."""
    names, name = [], 0
    for part in parts:
        name = name * 10 + part + 1
        names.append(name)
    return names


def fill(cache: BlockCache, names: list[int]) -> None:
    """Compute a chain and let go of it."""
    hits = cache.match(names, len(names))
    assert cache.acquire(names, hits, len(names) - hits)
    for depth in range(hits, len(names)):
        cache.commit(names, depth, depth + 1)
    cache.release(names, len(names), 0)


def test_a_prefix_computed_once_is_found_by_the_next():
    cache = BlockCache(8)
    fill(cache, chain(1, 2, 3))
    assert cache.match(chain(1, 2, 3), 3) == 3
    assert cache.match(chain(1, 2, 4), 3) == 2
    assert cache.match(chain(2, 2, 3), 3) == 0
    assert cache.match(chain(1, 2, 3), 1) == 1
    assert cache.used == 0
    assert cache.resident == 3


def test_room_is_taken_from_the_least_recently_used_leaf_first():
    cache = BlockCache(6)
    fill(cache, chain(1, 2, 3))
    fill(cache, chain(4, 5, 6))
    fill(cache, chain(1, 2, 3))  # used again: the other chain is older now
    assert cache.acquire([], 0, 2)
    assert cache.match(chain(4, 5, 6), 3) == 1
    assert cache.match(chain(1, 2, 3), 3) == 3


def test_a_shared_parent_outlives_its_older_child():
    cache = BlockCache(4)
    fill(cache, chain(1, 2))
    fill(cache, chain(1, 3))
    assert cache.acquire([], 0, 2)  # three blocks are here, one of them must go
    assert cache.match(chain(1, 2), 2) == 1
    assert cache.match(chain(1, 3), 2) == 2


def test_blocks_in_use_are_never_taken():
    cache = BlockCache(4)
    fill(cache, chain(1, 2))
    assert cache.acquire(chain(1, 2), 2, 1)
    assert not cache.acquire([], 0, 2)
    assert cache.acquire([], 0, 1)
    assert cache.used == cache.capacity
    assert cache.match(chain(1, 2), 2) == 2


def test_waking_idle_blocks_counts_as_taking_room():
    cache = BlockCache(4)
    fill(cache, chain(1, 2))
    assert not cache.acquire(chain(1, 2), 2, 3)
    assert cache.resident == 2
    assert cache.used == 0


def test_the_same_content_computed_twice_is_kept_once():
    cache = BlockCache(4)
    assert cache.acquire([], 0, 1)
    assert cache.acquire([], 0, 1)
    cache.commit([7], 0, 1)
    cache.commit([7], 0, 1)
    assert cache.used == 1
    cache.release([7], 1, 0)
    assert cache.used == 1
    cache.release([7], 1, 0)
    assert (cache.used, cache.resident) == (0, 1)


def test_an_empty_pool_is_refused():
    with pytest.raises(ValueError, match="at least one block"):
        BlockCache(0)


class Holder:
    """One running sequence of the oracle."""

    def __init__(self, names: list[int], hits: int, extra: int) -> None:
        self.names, self.named, self.unnamed = names, hits, len(names) - hits + extra


class CacheAgainstOracle(RuleBasedStateMachine):
    """The oracle keeps a use-time per idle block and evicts the oldest block without resident children."""

    CAPACITY = 12

    def __init__(self) -> None:
        super().__init__()
        self.cache = BlockCache(self.CAPACITY)
        self.holders: list[Holder] = []
        self.here: dict[int, int] = {}  # name -> when it was last let go or used
        self.time = 0

    def held(self) -> set[int]:
        return {name for holder in self.holders for name in holder.names[: holder.named]}

    def unnamed(self) -> int:
        return sum(holder.unnamed for holder in self.holders)

    def evict(self, need: int) -> None:
        while len(self.here) + self.unnamed() + need > self.CAPACITY:
            held = self.held()
            leaves = [
                name
                for name in self.here
                if name not in held and not any(other // 10 == name for other in self.here)
            ]
            del self.here[min(leaves, key=self.here.__getitem__)]

    @rule(parts=st.lists(st.integers(0, 2), max_size=5), extra=st.integers(0, 3))
    def start(self, parts: list[int], extra: int) -> None:
        names = chain(*parts)
        hits = 0
        while hits < len(names) and names[hits] in self.here:
            hits += 1
        assert self.cache.match(names, len(names)) == hits
        new = len(names) - hits + extra
        room = self.CAPACITY - len(self.held() | set(names[:hits])) - self.unnamed()
        assert self.cache.acquire(names, hits, new) == (new <= room)
        if new <= room:
            kept = Holder(names, hits, extra)
            kept.unnamed = 0
            self.holders.append(kept)
            self.evict(new)
            kept.unnamed = new

    @precondition(lambda self: any(holder.named < len(holder.names) for holder in self.holders))
    @rule(data=st.data())
    def compute(self, data: st.DataObject) -> None:
        open_holders = [holder for holder in self.holders if holder.named < len(holder.names)]
        holder = data.draw(st.sampled_from(open_holders))
        stop = data.draw(st.integers(holder.named + 1, len(holder.names)))
        self.cache.commit(holder.names, holder.named, stop)
        for name in holder.names[holder.named : stop]:
            self.here[name] = self.time
        holder.unnamed -= stop - holder.named
        holder.named = stop

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        holder = self.holders.pop(data.draw(st.integers(0, len(self.holders) - 1)))
        self.cache.release(holder.names, holder.named, holder.unnamed)
        held = self.held()
        for name in reversed(holder.names[: holder.named]):
            if name not in held:
                self.time += 1
                self.here[name] = self.time

    @invariant()
    def agrees(self) -> None:
        assert self.cache.used == len(self.held()) + self.unnamed()
        assert self.cache.resident == len(self.here) + self.unnamed() <= self.CAPACITY
        assert all(self.cache.holds(name) for name in self.here)
        assert all(name // 10 == 0 or name // 10 in self.here for name in self.here), "prefixes stay whole"


CacheAgainstOracle.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
test_cache_agrees_with_an_oracle = CacheAgainstOracle.TestCase


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), max_size=30))
def test_what_remains_of_a_chain_is_always_a_prefix_of_it(chains):
    cache = BlockCache(8)
    for parts in chains:
        fill(cache, chain(*parts))
        for seen in chains:
            names = chain(*seen)
            kept = [cache.holds(name) for name in names]
            assert kept == sorted(kept, reverse=True)


@settings(max_examples=100)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), max_size=40))
def test_names_that_are_no_chain_break_nothing(requests):
    """A trace may say of equal blocks what it likes: room is kept, and everything is given back."""
    cache = BlockCache(8)
    for names in requests:
        hits = cache.match(names, len(names))
        assert cache.acquire(names, hits, len(names) - hits)
        cache.commit(names, hits, len(names))
        assert 0 < cache.used <= cache.capacity
        cache.release(names, len(names), 0)
        assert (cache.used, cache.unnamed) == (0, 0)
        assert cache.acquire([], 0, cache.capacity), "all room can be had again"
        cache.release([], 0, cache.capacity)
