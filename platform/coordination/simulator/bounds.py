"""How much of the prompts could any placement have found cached?

Two bounds, both kept while the arrivals go by: one cache without end, and one LRU cache as large as all
replicas' together. Neither knows queues or replicas: blocks are cached as soon as a request has arrived.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from typing import Final

from coordination.traces import BLOCK_TOKENS

WITHOUT_END: Final = 1_000_000
"""Blocks of which the endless cache is sure to know the last use, so that memory is bounded however long
the trace. It may remember twice as many: 512 M to 1,024 M tokens."""


class Bounds:
    """Prompt tokens that would have been found."""

    __slots__ = ("_capacity", "_lru", "_older", "_seen", "endless", "prompt", "shared")

    def __init__(self, shared_blocks: int) -> None:
        self._seen: set[int] = set()
        self._older: frozenset[int] | set[int] = frozenset()
        self._lru: OrderedDict[int, None] = OrderedDict()
        self._capacity = max(1, shared_blocks)
        self.prompt = 0
        self.endless = 0
        self.shared = 0

    def arrived(self, prompt: int, blocks: list[int]) -> None:
        self.prompt += prompt
        if blocks:
            most = prompt - 1  # the last token is always computed
            self.endless += min(most, self._remember(blocks) * BLOCK_TOKENS)
            self.shared += min(most, self._touch(blocks) * BLOCK_TOKENS)

    def shares(self) -> tuple[float, float]:
        """Of all prompt tokens: (endless cache, one shared LRU)."""
        total = max(1, self.prompt)
        return self.endless / total, self.shared / total

    def _remember(self, blocks: list[int]) -> int:
        """Depth found in the endless cache. What was not used for a whole generation is forgotten."""
        seen = self._seen
        depth = _depth(blocks, seen)
        if self._older:
            depth = max(depth, _depth(blocks, self._older))
            seen.update(blocks)
        else:
            seen.update(blocks[depth:])
        if len(seen) > WITHOUT_END:
            self._older, self._seen = seen, set()
        return depth

    def _touch(self, blocks: list[int]) -> int:
        """Depth found in the shared LRU. Touched from the end to the root, so that leaves leave first."""
        lru = self._lru
        depth = _depth(blocks, lru)
        for at in range(len(blocks) - 1, depth - 1, -1):
            lru[blocks[at]] = None
        move = lru.move_to_end
        for at in range(depth - 1, -1, -1):
            move(blocks[at])
        for _ in range(len(lru) - self._capacity):
            lru.popitem(last=False)
        return depth


def _depth(blocks: list[int], held: Container[int]) -> int:
    """How many leading blocks are held, by bisection: who holds a block holds all before it."""
    low, high = 0, len(blocks)
    while low < high:
        middle = (low + high + 1) >> 1
        if blocks[middle - 1] in held:
            low = middle
        else:
            high = middle - 1
    return low
