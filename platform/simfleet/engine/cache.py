"""Which KV blocks are held, which are kept for reuse, and which goes first when room is needed?

A block is *held* while a running sequence refers to it, then *idle*: its content stays until the room
is needed. Idle blocks leave least recently used first and leaf first: a sequence gives its blocks back
from the last to the first, so a block always stands before its parent in the order of leaving, and
what remains of a chain is always a prefix that can be matched.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class BlockCache:
    """The KV pool of one replica, counted in blocks.

    Blocks whose content is not yet computed have no name; only their number (``unnamed``) is kept.
    Always: held + idle + unnamed <= capacity.
    """

    __slots__ = ("_held", "_idle", "capacity", "unnamed")

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a KV pool holds at least one block")
        self.capacity = capacity
        self.unnamed = 0
        self._held: dict[int, int] = {}  # name -> sequences that refer to it
        self._idle: OrderedDict[int, None] = OrderedDict()  # first to leave first

    @property
    def used(self) -> int:
        """Blocks that cannot be taken away now."""
        return len(self._held) + self.unnamed

    @property
    def resident(self) -> int:
        """Blocks that hold anything at all, reusable ones included."""
        return self.used + len(self._idle)

    def holds(self, name: int) -> bool:
        """Is the content of this block here?"""
        return name in self._held or name in self._idle

    def match(self, names: Sequence[int], limit: int) -> int:
        """How many leading blocks, at most ``limit``, are here."""
        held, idle = self._held, self._idle
        for depth in range(min(limit, len(names))):
            name = names[depth]
            if name not in held and name not in idle:
                return depth
        return min(limit, len(names))

    def acquire(self, names: Sequence[int], new: int) -> bool:
        """Hold all of ``names`` (they are here) and ``new`` unnamed blocks, or change nothing."""
        held, idle = self._held, self._idle
        woken = sum(1 for name in names if name not in held)
        if self.used + woken + new > self.capacity:
            return False
        for name in names:
            references = held.get(name)
            if references is None:
                del idle[name]
                held[name] = 1
            else:
                held[name] = references + 1
        self.unnamed += new
        for _ in range(self.resident - self.capacity):
            idle.popitem(last=False)
        return True

    def commit(self, name: int) -> None:
        """One held unnamed block now has content. A second copy of known content is dropped."""
        references = self._held.get(name)
        if references is None:
            self._idle.pop(name, None)
            self._held[name] = 1
        else:
            self._held[name] = references + 1
        self.unnamed -= 1

    def release(self, names: Sequence[int], unnamed: int) -> None:
        """Give back what one sequence holds: its named blocks become idle, the others free."""
        held, idle = self._held, self._idle
        for name in reversed(names):
            references = held[name] - 1
            if references:
                held[name] = references
            else:
                del held[name]
                idle[name] = None
        self.unnamed -= unnamed
