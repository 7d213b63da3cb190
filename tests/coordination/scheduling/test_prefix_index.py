"""The prefix index against an oracle that keeps every replica's blocks one by one."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling.prefix_index import TOKENS_PER_BLOCK, PrefixIndex

KV_TOKENS = 24 * TOKENS_PER_BLOCK
REPLICAS = 3


class Oracle:
    """A plain LRU of blocks for each replica, touched from the end of a chain to its root."""

    def __init__(self) -> None:
        self.held: dict[int, OrderedDict[int, None]] = {bit: OrderedDict() for bit in range(REPLICAS)}

    def insert(self, chain: list[int], bit: int) -> None:
        held = self.held[bit]
        for block in reversed(chain[:24]):
            held[block] = None
            held.move_to_end(block)
        while len(held) > 24:
            held.popitem(last=False)

    def depth(self, chain: list[int], bit: int) -> int:
        depth = 0
        while depth < len(chain) and chain[depth] in self.held[bit]:
            depth += 1
        return depth


def chain(branches: list[int]) -> list[int]:
    """A path in a tree of prompts: equal hashes exactly where all choices so far are equal."""
    hashes, at = [], 1
    for branch in branches:
        at = at * 5 + branch
        hashes.append(at)
    return hashes


CHAINS = st.lists(st.integers(0, 2), min_size=1, max_size=30).map(chain)
STEPS = st.lists(st.tuples(st.booleans(), CHAINS, st.integers(0, REPLICAS - 1)), max_size=60)


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_every_match_is_what_the_oracle_finds(steps):
    index, oracle = PrefixIndex(), Oracle()
    for bit in range(REPLICAS):
        index.add_replica(bit, KV_TOKENS)
    for inserts, prompt, bit in steps:
        if inserts:
            index.insert(prompt, bit)
            oracle.insert(prompt, bit)
            assert index.held(bit) == len(oracle.held[bit])
        depths = {one: oracle.depth(prompt, one) for one in range(REPLICAS)}
        assert {one: index.depth(prompt, one) for one in depths} == depths
        expected = sorted({depth for depth in depths.values() if depth}, reverse=True)
        found = index.match(prompt, (1 << REPLICAS) - 1, REPLICAS)
        assert [depth for depth, _ in found] == expected
        for depth, mask in found:
            assert {one for one in depths if mask >> one & 1} == {
                one for one, at in depths.items() if at == depth
            }


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_chains_stay_downward_closed(steps):
    index = PrefixIndex()
    for bit in range(REPLICAS):
        index.add_replica(bit, KV_TOKENS)
    prompts = [prompt for _, prompt, _ in steps]
    for _, prompt, bit in steps:
        index.insert(prompt, bit)
        for known in prompts:
            holds = [bool(index._blocks.get(block, 0) >> bit & 1) for block in known]
            assert holds == sorted(holds, reverse=True)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(0, 1)), max_size=40)
)
def test_hashes_that_are_no_chain_spoil_matches_but_never_the_index(prompts):
    """What a collision of hashes would look like: the same block after different ones, or twice."""
    index = PrefixIndex()
    for bit in range(2):
        index.add_replica(bit, 16 * TOKENS_PER_BLOCK)
    for prompt, bit in prompts:
        index.match(prompt, 0b11, 4)
        index.insert(prompt, bit)
        assert index.held(bit) <= 16
    index.remove_replica(0)
    index.remove_replica(1)
    assert len(index) == 0


def test_a_removed_replica_holds_nothing_and_leaves_nothing_behind():
    index = PrefixIndex()
    index.add_replica(0, KV_TOKENS)
    index.add_replica(1, KV_TOKENS)
    index.insert([1, 2, 3], 0)
    index.insert([1, 2], 1)
    index.remove_replica(0)
    assert index.match([1, 2, 3], 0b11, 4) == [(2, 0b10)]
    assert len(index) == 2
    index.remove_replica(1)
    assert len(index) == 0


def test_a_full_share_shrinks_when_the_engine_reports_less_than_predicted():
    index = PrefixIndex()
    index.add_replica(0, 640 * TOKENS_PER_BLOCK)
    before = index.capacity(0)
    index.correct(0, predicted_tokens=4000, cached_tokens=100)
    assert index.capacity(0) == before, "a share with room to spare has evicted nothing"
    index.insert(list(range(1, 641)), 0)
    index.correct(0, predicted_tokens=4000, cached_tokens=3900)
    assert index.capacity(0) == before, "within the margin"
    for _ in range(500):
        index.correct(0, predicted_tokens=4000, cached_tokens=100)
    assert index.capacity(0) == index.held(0) == before // 8, "but never below an eighth"
    for _ in range(2000):
        index.correct(0, predicted_tokens=0, cached_tokens=9000)
    assert index.capacity(0) == 4 * before


def test_an_engine_that_never_reports_cached_tokens_teaches_nothing():
    index = PrefixIndex()
    index.add_replica(0, 64 * TOKENS_PER_BLOCK)
    index.insert(list(range(1, 65)), 0)
    for _ in range(10):
        index.correct(0, predicted_tokens=4000, cached_tokens=0)
    assert index.capacity(0) == 64


def test_only_the_replicas_asked_for_are_matched():
    index = PrefixIndex()
    for bit in range(3):
        index.add_replica(bit, KV_TOKENS)
        index.insert([1, 2, 3][: bit + 1], bit)
    assert index.match([1, 2, 3], 0b011, 4) == [(2, 0b010), (1, 0b001)]
    assert index.match([1, 2, 3], 0b111, 1) == [(3, 0b100)]
    assert index.match([], 0b111, 4) == []
    assert index.match([9], 0b111, 4) == []
