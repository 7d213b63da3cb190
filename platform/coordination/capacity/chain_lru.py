"""Which chained blocks were used least recently, when they come and go by the chain?

A block's name stands for the whole prefix that ends with it, so it always lies at the same depth, behind
the same blocks. What one request leaves behind is therefore kept as one *strand*: a run of consecutive
depths of its chain, the deepest of which leaves first. Another request that goes the same way takes blocks
from a strand's top, room is made at its bottom, and between the two it stays one run. Only where a strand
starts is looked up by name: whatever the length of a prompt, a request costs a few strands.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class Strand:
    """The blocks of one chain from depth ``start`` to ``stop``, exclusively. Never empty."""

    __slots__ = ("names", "start", "stop")

    def __init__(self, names: Sequence[int], start: int, stop: int) -> None:
        self.names = names
        self.start = start
        self.stop = stop


class ChainLru:
    """Blocks in the order in which they leave: by strand, and of a strand the deepest first.

    Every ``names`` is a chain from its root, and is kept: it must not change afterwards. Names that are no
    chain (equal ones at different depths) are found less often than they could be, and break nothing.
    """

    __slots__ = ("_order", "_starts", "size")

    def __init__(self) -> None:
        self.size = 0
        """Blocks held."""
        self._starts: dict[int, Strand] = {}
        """A strand by the name of its first block."""
        self._order: OrderedDict[Strand, None] = OrderedDict()

    def depth(self, names: Sequence[int], start: int, limit: int) -> int:
        """How deep the chain goes on here from depth ``start``, at most to ``limit``."""
        starts = self._starts
        while start < limit:
            strand = starts.get(names[start])
            if strand is None or strand.start != start:
                break
            start = _common(strand, names, limit)
        return start

    def take(self, names: Sequence[int], start: int, stop: int) -> None:
        """``names[start:stop]`` leave, as far as they are here. None above them is."""
        starts = self._starts
        while start < stop:
            strand = starts.get(names[start])
            if strand is None or strand.start != start:
                return
            del starts[names[start]]
            end = _common(strand, names, stop)
            self.size -= end - start
            if end == strand.stop:
                del self._order[strand]
            else:
                strand.start = end
                starts[strand.names[end]] = strand
            start = end

    def put(self, names: Sequence[int], start: int, stop: int) -> None:
        """``names[start:stop]``, none of which is here, are the most recent now."""
        if start < stop:
            strand = self._starts[names[start]] = Strand(names, start, stop)
            self._order[strand] = None
            self.size += stop - start

    def pop(self, count: int) -> list[int]:
        """The ``count`` blocks that were used least recently leave (all, if there are no more)."""
        gone: list[int] = []
        order, starts = self._order, self._starts
        while count > 0 and order:
            strand = next(iter(order))
            names, start, stop = strand.names, strand.start, strand.stop
            if stop - start > count:
                strand.stop = start = stop - count
            else:
                del order[strand]
                if starts.get(names[start]) is strand:
                    del starts[names[start]]
            gone += reversed(names[start:stop])
            count -= stop - start
            self.size -= stop - start
        return gone

    def __contains__(self, name: object) -> bool:
        """Slow: for whoever does not know at which depth a block lies."""
        return any(name in strand.names[strand.start : strand.stop] for strand in self._order)


def _common(strand: Strand, names: Sequence[int], limit: int) -> int:
    """To which depth, at most ``limit``, a chain goes the way of a strand whose first block it has."""
    others = strand.names
    low, high = strand.start + 1, min(strand.stop, limit)
    if names[high - 1] == others[high - 1]:
        return high
    while low < high:
        middle = (low + high) >> 1
        if names[middle] == others[middle]:
            low = middle + 1
        else:
            high = middle
    return low
