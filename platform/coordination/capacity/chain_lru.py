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

    __slots__ = ("base", "names", "start", "stop")

    def __init__(self, names: Sequence[int], start: int) -> None:
        self.names = names
        self.base = start
        """Depth of the first name: what was taken from the top is still among them."""
        self.start = start
        self.stop = start + len(names)


class ChainLru:
    """Blocks in the order in which they leave: by strand, and of a strand the deepest first.

    Every ``names`` is a chain from its root. Names that are no chain (equal ones at different depths) are
    found less often than they could be, and break nothing.
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

    def take(self, names: Sequence[int], start: int, stop: int) -> int:
        """``names[start:stop]`` leave, as far as they are here: to the depth returned. None above them is."""
        starts = self._starts
        while start < stop:
            name = names[start]
            strand = starts.get(name)
            if strand is None or strand.start != start:
                break
            del starts[name]
            end = _common(strand, names, stop)
            self.size -= end - start
            if end == strand.stop:
                del self._order[strand]
            else:
                strand.start = end
                starts[strand.names[end - strand.base]] = strand
            start = end
        return start

    def put(self, names: Sequence[int], start: int, stop: int) -> None:
        """``names[start:stop]``, none of which is here, are the most recent now."""
        if start < stop:
            strand = self._starts[names[start]] = Strand(names[start:stop], start)
            self._order[strand] = None
            self.size += stop - start

    def drop(self, count: int) -> None:
        """The ``count`` blocks that were used least recently leave (all, if there are no more)."""
        order, starts = self._order, self._starts
        while count > 0 and order:
            strand = next(iter(order))
            start = strand.start
            length = strand.stop - start
            if length > count:
                strand.stop -= count
                self.size -= count
                return
            del order[strand]
            first = strand.names[start - strand.base]
            if starts.get(first) is strand:
                del starts[first]
            self.size -= length
            count -= length

    def oldest(self, count: int) -> list[int]:
        """The ``count`` blocks that would leave, the first to leave first."""
        found: list[int] = []
        for strand in self._order:
            if len(found) >= count:
                break
            found += reversed(_held(strand))
        return found[: max(0, count)]

    def __contains__(self, name: object) -> bool:
        """Slow: for whoever does not know at which depth a block lies."""
        return any(name in _held(strand) for strand in self._order)


def _held(strand: Strand) -> Sequence[int]:
    return strand.names[strand.start - strand.base : strand.stop - strand.base]


def _common(strand: Strand, names: Sequence[int], limit: int) -> int:
    """To which depth, at most ``limit``, a chain goes the way of a strand whose first block it has."""
    others, base, high = strand.names, strand.base, strand.stop
    if high > limit:
        high = limit
    low = strand.start + 1
    if names[high - 1] == others[high - 1 - base]:
        return high
    if names[low] != others[low - base]:  # often: everybody has the first block
        return low
    low += 1
    while low < high:
        middle = (low + high) >> 1
        if names[middle] == others[middle - base]:
            low = middle + 1
        else:
            high = middle
    return low
