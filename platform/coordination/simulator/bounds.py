"""How much of the prompts could any placement have found cached?

Two bounds, both kept while the arrivals go by: one cache without end, and one LRU cache as large as all
replicas' together. Neither knows queues or replicas: blocks are cached as soon as a request has arrived.
"""

from __future__ import annotations

from typing import Final

from coordination.capacity import ChainLru
from coordination.traces import BLOCK_TOKENS

WITHOUT_END: Final = 1_000_000
"""Blocks of which the endless cache is sure to know the last use, so that memory is bounded however long
the trace. It may remember twice as many: 512 M to 1,024 M tokens."""


class Bounds:
    """Prompt tokens that would have been found."""

    __slots__ = ("_capacity", "_lru", "_older", "_seen", "endless", "prompt", "shared")

    def __init__(self, shared_blocks: int) -> None:
        self._seen = ChainLru()
        self._older = ChainLru()
        self._lru = ChainLru()
        self._capacity = max(1, shared_blocks)
        self.prompt = 0
        self.endless = 0
        self.shared = 0

    def arrived(self, prompt: int, blocks: list[int]) -> None:
        self.prompt += prompt
        if blocks:
            most = prompt - 1  # the last token is always computed
            found = self._remember(blocks) * BLOCK_TOKENS
            self.endless += found if found < most else most
            found = self._touch(blocks) * BLOCK_TOKENS
            self.shared += found if found < most else most

    def shares(self) -> tuple[float, float]:
        """Of all prompt tokens: (endless cache, one shared LRU)."""
        total = max(1, self.prompt)
        return self.endless / total, self.shared / total

    def _remember(self, blocks: list[int]) -> int:
        """Depth found in the endless cache. What was not used for a whole generation is forgotten."""
        seen, count = self._seen, len(blocks)
        depth = seen.depth(blocks, 0, count)
        seen.put(blocks, depth, count)
        if self._older.size:
            depth = max(depth, self._older.depth(blocks, 0, count))
        if seen.size > WITHOUT_END:
            self._older, self._seen = seen, ChainLru()
        return depth

    def _touch(self, blocks: list[int]) -> int:
        """Depth found in the shared LRU."""
        lru, count = self._lru, len(blocks)
        depth = lru.take(blocks, 0, count)
        lru.put(blocks, 0, count)
        if lru.size > self._capacity:
            lru.drop(lru.size - self._capacity)
        return depth
