"""Which replicas hold the beginning of this prompt, and how much of it? (R21)

One dict maps a chained block hash to the bitmask of replicas believed to hold that block. A chain is
*downward closed* on every replica (who holds a block holds all before it), so the deepest match is
found by bisection. That is kept true by evicting leaves first, which falls out of touching a chain
from its end to its root: a block is always more recent than whatever continues it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

BLOCK_BYTES: Final = 512
TOKENS_PER_BLOCK: Final = 128
"""Of ordinary text, at four bytes a token: what sizes a replica's share of the index."""


class PrefixIndex:
    """Blocks by hash, and for each replica its own blocks from the least to the most recent."""

    __slots__ = ("_blocks", "_capacity", "_held", "_nominal", "_reporting")

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}
        self._held: dict[int, OrderedDict[int, None]] = {}
        self._capacity: dict[int, int] = {}
        self._nominal: dict[int, int] = {}
        self._reporting: set[int] = set()

    def __len__(self) -> int:
        return len(self._blocks)

    def add_replica(self, bit: int, kv_tokens: int) -> None:
        """``bit`` is the replica's position in the masks; its cache holds ``kv_tokens``."""
        blocks = max(16, kv_tokens // TOKENS_PER_BLOCK)
        if bit not in self._held:
            self._held[bit] = OrderedDict()
            self._capacity[bit] = blocks
        elif self._nominal[bit] != blocks:
            self._capacity[bit] = blocks
        self._nominal[bit] = blocks
        self._shrink(bit)

    def remove_replica(self, bit: int) -> None:
        """The replica is gone or has restarted: it holds nothing."""
        held = self._held.pop(bit, None)
        if held is None:
            return
        for block in held:
            self._drop(block, 1 << bit)
        del self._capacity[bit], self._nominal[bit]
        self._reporting.discard(bit)

    def match(self, blocks: Sequence[int], among: int, limit: int) -> list[tuple[int, int]]:
        """The deepest matches among a mask of replicas: ``(depth, mask)``, deepest first.

        Stops once ``limit`` replicas are found; the last mask may exceed it. Each round is a
        bisection on depth, O(log blocks) dict look-ups.
        """
        found: list[tuple[int, int]] = []
        get = self._blocks.get
        high = len(blocks)
        while high and among and limit > 0:
            mask = get(blocks[0], 0) & among
            if not mask:
                break
            low = 1  # depth `low` matches; depth `high + 1` does not
            while low < high:
                middle = (low + high + 1) >> 1
                here = get(blocks[middle - 1], 0) & among
                if here:
                    low, mask = middle, here
                else:
                    high = middle - 1
            found.append((low, mask))
            among &= ~mask
            limit -= mask.bit_count()
            high = low - 1  # the rest match less deeply
        return found

    def depth(self, blocks: Sequence[int], bit: int) -> int:
        """Blocks of the chain that one replica holds."""
        matches = self.match(blocks, 1 << bit, 1)
        return matches[0][0] if matches else 0

    def insert(self, blocks: Sequence[int], bit: int) -> None:
        """The replica has computed (or is about to compute) the whole chain."""
        held = self._held.get(bit)
        if held is None or not blocks:
            return
        capacity = self._capacity[bit]
        if len(blocks) > capacity:
            blocks = blocks[:capacity]
        known = self.depth(blocks, bit)
        index = self._blocks
        mask = 1 << bit
        if known < len(blocks):
            fresh = blocks[known:]
            for block in fresh:
                index[block] = index.get(block, 0) | mask
            held.update(dict.fromkeys(reversed(fresh)))
        if known:
            deque(map(held.move_to_end, reversed(blocks[:known])), maxlen=0)
        if len(held) > capacity:
            self._shrink(bit)

    def correct(self, bit: int, predicted_tokens: int, cached_tokens: int) -> None:
        """Learn from the cached tokens an engine reported how much it really keeps.

        Fewer than predicted: it has evicted what we thought it held, so its share of the index
        shrinks by a sixty-fourth; more: it grows by half of that, up to four times nominal. Engines
        that never report cached tokens teach nothing.
        """
        if cached_tokens > 0:
            self._reporting.add(bit)
        if bit not in self._reporting or bit not in self._held:
            return
        capacity, nominal = self._capacity[bit], self._nominal[bit]
        if cached_tokens + 2 * TOKENS_PER_BLOCK < predicted_tokens:
            self._capacity[bit] = max(16, nominal // 8, capacity - (capacity >> 6) - 1)
            self._shrink(bit)
        elif cached_tokens > predicted_tokens + 2 * TOKENS_PER_BLOCK:
            self._capacity[bit] = min(4 * nominal, capacity + (capacity >> 7) + 1)

    def capacity(self, bit: int) -> int:
        return self._capacity[bit]

    def held(self, bit: int) -> int:
        return len(self._held[bit])

    def _shrink(self, bit: int) -> None:
        held, mask = self._held[bit], 1 << bit
        for _ in range(len(held) - self._capacity[bit]):
            block, _ = held.popitem(last=False)
            self._drop(block, mask)

    def _drop(self, block: int, mask: int) -> None:
        rest = self._blocks[block] & ~mask
        if rest:
            self._blocks[block] = rest
        else:
            del self._blocks[block]
