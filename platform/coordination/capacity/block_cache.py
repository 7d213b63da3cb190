"""Which KV blocks are held, which are kept for reuse, and which goes first when room is needed?

A block is *held* while a running sequence refers to it, then *idle*: its content stays until the room
is needed. Idle blocks leave least recently used first and leaf first: a sequence gives its blocks back
from the last to the first, so a block always stands before its parent in the order of leaving, and
what remains of a chain is always a prefix that can be matched.

With a host tier, what leaves the accelerator's memory goes to the host's, least recently used last out,
and can be loaded from there instead of being computed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class BlockCache:
    """The KV pool of one replica, counted in blocks.

    Blocks whose content is not yet computed have no name; only their number (``unnamed``) is kept.
    Always: held + idle + unnamed <= capacity.
    """

    __slots__ = ("_held", "_host", "_idle", "capacity", "host_capacity", "unnamed")

    def __init__(self, capacity: int, host_capacity: int = 0) -> None:
        if capacity < 1:
            raise ValueError("a KV pool holds at least one block")
        self.capacity = capacity
        self.host_capacity = host_capacity
        """Blocks the host tier holds; 0 is none."""
        self.unnamed = 0
        self._held: dict[int, int] = {}  # name -> sequences that refer to it
        self._idle: OrderedDict[int, None] = OrderedDict()  # first to leave first
        self._host: OrderedDict[int, None] = OrderedDict()

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

    def match_host(self, names: Sequence[int], start: int, limit: int) -> int:
        """How deep the match goes on in the host tier, from depth ``start``, at most to ``limit``."""
        host = self._host
        depth, limit = start, min(limit, len(names))
        while depth < limit and names[depth] in host:
            depth += 1
        return depth

    def acquire(self, names: Sequence[int], new: int, loaded: Sequence[int] = ()) -> bool:
        """Hold all of ``names`` (they are here) and ``new`` unnamed blocks, or change nothing.

        ``loaded`` names the first of the new ones: they take over content from the host tier.
        """
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
        for name in loaded:
            self._host.pop(name, None)
        excess = self.resident - self.capacity
        if excess > 0:
            if self.host_capacity:
                self._demote(excess)
            else:
                for _ in range(excess):
                    idle.popitem(last=False)
        if loaded:
            self.commit_range(loaded, 0, len(loaded))
        return True

    def _demote(self, count: int) -> None:
        """The least recent idle blocks go to the host tier, whose own least recent are forgotten."""
        host, idle = self._host, self._idle
        for _ in range(count):
            name, _ = idle.popitem(last=False)
            host[name] = None
            host.move_to_end(name)
        while len(host) > self.host_capacity:
            host.popitem(last=False)

    def commit(self, name: int) -> None:
        """One held unnamed block now has content. A second copy of known content is dropped."""
        references = self._held.get(name)
        if references is None:
            self._idle.pop(name, None)
            self._held[name] = 1
        else:
            self._held[name] = references + 1
        self.unnamed -= 1

    def commit_range(self, names: Sequence[int], start: int, stop: int) -> None:
        """``commit`` for each of ``names[start:stop]``."""
        held, idle = self._held, self._idle
        for name in names[start:stop]:
            references = held.get(name)
            if references is None:
                if name in idle:
                    del idle[name]
                held[name] = 1
            else:
                held[name] = references + 1
        self.unnamed -= stop - start

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
