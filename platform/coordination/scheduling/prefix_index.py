"""Which replicas hold the beginning of this prompt, and how much of it? (R21)

One dict maps a chained block hash to the bitmask of replicas believed to hold that block. A chain is
*downward closed* on every replica (who holds a block holds all before it), so the deepest match is
found by bisection on depth.

Each replica's share is an LRU of *segments*: runs of blocks inserted together, each knowing the segment
it continues. A conversation's turn touches a handful of segments, not every block it ever had. Touching
goes from the end of a chain to its root, so whatever continues a segment is less recent than it: the
least recent segment is always a leaf, and evicting from its tail keeps chains downward closed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import repeat
from operator import and_, or_
from typing import Final

BLOCK_BYTES: Final = 512
TOKENS_PER_BLOCK: Final = 128
"""Of ordinary text, at four bytes a token: what sizes a replica's share of the index."""


def matched_tokens(prompt_tokens: int, depth: int, blocks: int) -> int:
    """Tokens in the first ``depth`` of a prompt's ``blocks`` whole blocks.

    Blocks are counted in bytes and prompts in tokens, so it is a share of the prompt; behind the last
    whole block half a block more is the usual tail.
    """
    return prompt_tokens * 2 * depth // (2 * blocks + 1)


class Segment:
    """A run of blocks of one chain on one replica."""

    __slots__ = ("blocks", "parent")

    def __init__(self, blocks: list[int], parent: Segment | None) -> None:
        self.blocks = blocks
        self.parent = parent


class Share:
    """What one replica is believed to hold."""

    __slots__ = ("capacity", "nominal", "reports", "segments", "size", "starts")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.nominal = capacity
        self.size = 0
        """Blocks in all segments."""
        self.starts: dict[int, Segment] = {}
        """First block -> its segment: a chain is found by walking from start to start."""
        self.segments: OrderedDict[Segment, None] = OrderedDict()
        """From the least to the most recent."""
        self.reports = False
        """Has its engine ever told of cached tokens?"""


class PrefixIndex:
    """Blocks by hash over all replicas of a pool, and each replica's share."""

    __slots__ = ("_blocks", "_shares", "version")

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}
        self._shares: dict[int, Share] = {}
        self.version = 0
        """Changes whenever a match might."""

    def __len__(self) -> int:
        return len(self._blocks)

    def add_replica(self, bit: int, kv_tokens: int) -> None:
        """``bit`` is the replica's position in the masks; its cache holds ``kv_tokens``."""
        capacity = max(16, kv_tokens // TOKENS_PER_BLOCK)
        share = self._shares.get(bit)
        if share is None:
            self._shares[bit] = Share(capacity)
        elif share.nominal != capacity:
            share.capacity = share.nominal = capacity
            self._shrink(share, 1 << bit)

    def remove_replica(self, bit: int) -> None:
        """The replica is gone or has restarted: it holds nothing."""
        share = self._shares.pop(bit, None)
        if share is None:
            return
        self.version += 1
        for segment in share.segments:
            self._drop(segment.blocks, 1 << bit)

    def match(self, blocks: Sequence[int], among: int, limit: int, enough: int = 1) -> list[tuple[int, int]]:
        """The deepest matches among a mask of replicas: ``(depth, mask)``, deepest first.

        Stops once ``limit`` replicas are found (the last mask may exceed it), or at the first depth
        below ``enough``. Each round is a bisection on depth, O(log blocks) look-ups.
        """
        found: list[tuple[int, int]] = []
        get = self._blocks.get
        none = len(blocks)
        if not none:
            return found
        first = get(blocks[0], 0)
        second = get(blocks[1], 0) if none > 1 else 0
        while mask := first & among:
            last = 0  # somebody has the block at `last`, nobody the one at `none`
            if not second & among:
                none = 1  # often: everybody has the first
            while none - last > 1:
                middle = (last + none) >> 1
                here = get(blocks[middle], 0) & among
                if here:
                    last, mask = middle, here
                else:
                    none = middle
            found.append((none, mask))
            limit -= mask.bit_count()
            if none < enough or limit <= 0 or not last:
                break
            among &= ~mask
            none = last  # the others match less deeply
        return found

    def depth(self, blocks: Sequence[int], bit: int) -> int:
        """Blocks of the chain that one replica holds."""
        share = self._shares.get(bit)
        at, count = 0, len(blocks)
        if share is None or not count:
            return 0
        starts = share.starts
        segment = starts.get(blocks[0])
        while segment is not None:
            held = segment.blocks
            end = at + len(held)
            if end > count or blocks[end - 1] != held[-1]:
                return at + _common(blocks, at, held)
            if end == count:
                return end
            at = end
            segment = starts.get(blocks[at])
        return at

    def insert(self, blocks: Sequence[int], bit: int, known: int | None = None) -> None:
        """The replica computes the whole chain. ``known``: how much of it it holds, if just matched."""
        share = self._shares.get(bit)
        if share is None or not blocks:
            return
        if len(blocks) > share.capacity:
            blocks = blocks[: share.capacity]
        count = len(blocks)
        if known is None:
            known = self.depth(blocks, bit)
        elif known > count:
            known = count
        segments = share.segments
        end = None
        if known:
            end = _ending_at(share, blocks, known)
            if end is None:
                return  # two prompts whose hashes collide: what is believed of them stays as it is
        if known < count:
            self.version += 1
            fresh = list(blocks[known:])
            end = share.starts[fresh[0]] = Segment(fresh, end)
            share.size += len(fresh)
            segments[end] = None
            index, mask = self._blocks, 1 << bit
            holders = list(map(index.setdefault, fresh, repeat(mask)))
            if holders.count(mask) < len(holders):  # usually nobody holds what is new
                index.update(zip(fresh, map(or_, holders, repeat(mask)), strict=True))
        while end is not None:
            segments.move_to_end(end)
            end = end.parent
        if share.size > share.capacity:
            self._shrink(share, 1 << bit)

    def correct(self, bit: int, predicted_tokens: int, cached_tokens: int) -> None:
        """Learn from the cached tokens an engine reported how much it really keeps.

        Fewer than predicted by a full share: it has evicted what we thought it held, so the share
        shrinks by a sixty-fourth; more: it grows by half of that, up to four times nominal. A share
        that is not full proves nothing by a miss (a prefix may still have been in computation), and
        engines that never report cached tokens teach nothing.
        """
        share = self._shares.get(bit)
        if share is None:
            return
        if cached_tokens > 0:
            share.reports = True
        if not share.reports:
            return
        margin = max(2 * TOKENS_PER_BLOCK, predicted_tokens >> 4)
        if cached_tokens + margin < predicted_tokens:
            if share.size * 8 >= share.capacity * 7:
                share.capacity = max(16, share.nominal // 8, share.capacity - (share.capacity >> 6) - 1)
                self._shrink(share, 1 << bit)
        elif cached_tokens > predicted_tokens + margin:
            share.capacity = min(4 * share.nominal, share.capacity + (share.capacity >> 7) + 1)

    def capacity(self, bit: int) -> int:
        """Blocks the replica is believed to have room for."""
        return self._shares[bit].capacity

    def held(self, bit: int) -> int:
        """Blocks the replica is believed to hold."""
        return self._shares[bit].size

    def _shrink(self, share: Share, mask: int) -> None:
        self.version += 1
        while (beyond := share.size - share.capacity) > 0:
            leaf = next(iter(share.segments))
            blocks = leaf.blocks
            if beyond < len(blocks):
                gone = blocks[-beyond:]
                del blocks[-beyond:]
            else:
                gone = blocks
                share.starts.pop(blocks[0], None)
                del share.segments[leaf]
            self._drop(gone, mask)
            share.size -= len(gone)

    def _drop(self, blocks: list[int], mask: int) -> None:
        """The replica of this mask holds these no more."""
        index = self._blocks
        holders = list(map(index.pop, blocks, repeat(0)))
        if holders.count(mask) < len(holders):  # usually nobody else holds what is least recent
            rest = zip(blocks, map(and_, holders, repeat(~mask)), strict=True)
            index.update([each for each in rest if each[1]])


def _common(blocks: Sequence[int], at: int, held: Sequence[int]) -> int:
    """How many of a segment's blocks a chain has from ``at`` on; it has the first."""
    some, none = 0, min(len(held), len(blocks) - at)
    while none - some > 1:
        middle = (some + none) >> 1
        if blocks[at + middle] == held[middle]:
            some = middle
        else:
            none = middle
    return none


def _ending_at(share: Share, blocks: Sequence[int], depth: int) -> Segment | None:
    """The segment that ends after the first ``depth`` blocks of a chain the replica holds.

    One that goes on behind is cut in two; the later part stays the same object, so that what continues
    it still does. None when the blocks do not follow each other there: their hashes are no chain.
    """
    starts = share.starts
    at = 0
    while True:
        segment = starts.get(blocks[at])
        if segment is None:
            return None
        at += len(segment.blocks)
        if at == depth:
            return segment
        if at > depth:
            break
    cut = len(segment.blocks) - (at - depth)
    earlier = Segment(segment.blocks[:cut], segment.parent)
    del segment.blocks[:cut]
    segment.parent = earlier
    starts[earlier.blocks[0]] = earlier
    starts[segment.blocks[0]] = segment
    share.segments[earlier] = None
    return earlier
