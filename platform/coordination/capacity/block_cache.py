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

from coordination.capacity.chain_lru import ChainLru


class BlockCache:
    """The KV pool of one replica, counted in blocks. Names are chained: each stands for a whole prefix.

    Blocks whose content is not yet computed have no name; only their number (``unnamed``) is kept.
    Always: held + idle + unnamed <= capacity.
    """

    __slots__ = ("_held", "_host", "_idle", "_more", "capacity", "host_capacity", "unnamed")

    def __init__(self, capacity: int, host_capacity: int = 0) -> None:
        if capacity < 1:
            raise ValueError("a KV pool holds at least one block")
        self.capacity = capacity
        self.host_capacity = host_capacity
        """Blocks the host tier holds; 0 is none."""
        self.unnamed = 0
        self._held: set[int] = set()
        self._more: dict[int, int] = {}
        """Name -> sequences that refer to it, beyond the first."""
        self._idle = ChainLru()
        self._host: OrderedDict[int, None] = OrderedDict()

    @property
    def used(self) -> int:
        """Blocks that cannot be taken away now."""
        return len(self._held) + self.unnamed

    @property
    def resident(self) -> int:
        """Blocks that hold anything at all, reusable ones included."""
        return len(self._held) + self.unnamed + self._idle.size

    def holds(self, name: int) -> bool:
        """Is the content of this block here? Slow: a chain is looked up by ``match``."""
        return name in self._held or name in self._idle

    def match(self, names: Sequence[int], limit: int) -> int:
        """How many leading blocks, at most ``limit``, are here."""
        limit = min(limit, len(names))
        return self._idle.depth(names, self._shared(names, 0, limit), limit)

    def match_host(self, names: Sequence[int], start: int, limit: int) -> int:
        """How deep the match goes on in the host tier, from depth ``start``, at most to ``limit``."""
        host = self._host
        depth, limit = start, min(limit, len(names))
        while depth < limit and names[depth] in host:
            depth += 1
        return depth

    def acquire(self, names: Sequence[int], here: int, new: int, loaded: int = 0) -> bool:
        """Hold the first ``here`` of ``names`` (they are here) and ``new`` unnamed blocks, or change nothing.

        The next ``loaded`` of ``names`` are the first of the new ones: they take over content from the
        host tier.
        """
        held, idle, capacity = self._held, self._idle, self.capacity
        shared = self._shared(names, 0, here)
        if len(held) + self.unnamed + here - shared + new > capacity:
            return False
        if shared:
            self._refer(names, 0, shared)
        if here > shared:
            idle.take(names, shared, here)
            held.update(names[shared:here])
        unnamed = self.unnamed = self.unnamed + new
        hits = here + loaded
        if loaded:
            for name in names[here:hits]:
                self._host.pop(name, None)
        excess = len(held) + unnamed + idle.size - capacity
        if excess > 0:
            if self.host_capacity:
                self._demote(idle.oldest(excess))
            idle.drop(excess)
        if loaded:
            self.commit(names, here, hits)
        return True

    def _demote(self, names: Sequence[int]) -> None:
        """What was least recent here is most recent in the host tier, whose own least recent leave."""
        host = self._host
        for name in names:
            host[name] = None
            host.move_to_end(name)
        while len(host) > self.host_capacity:
            host.popitem(last=False)

    def commit(self, names: Sequence[int], start: int, stop: int) -> None:
        """The unnamed blocks at these depths now have content. A second copy of known content is dropped."""
        self.unnamed -= stop - start
        shared = self._shared(names, start, stop)
        if shared > start:
            self._refer(names, start, shared)
        if shared < stop:
            self._idle.take(names, shared, stop)
            self._held.update(names[shared:stop])

    def release(self, names: Sequence[int], named: int, unnamed: int) -> None:
        """Give back what one sequence holds: the first ``named`` of ``names`` become idle, others free."""
        self.unnamed -= unnamed
        more = self._more
        shared = 0
        while shared < named and (references := more.get(names[shared])):
            if references > 1:
                more[names[shared]] = references - 1
            else:
                del more[names[shared]]
            shared += 1
        self._held.difference_update(names[shared:named])
        self._idle.put(names, shared, named)

    def _shared(self, names: Sequence[int], start: int, stop: int) -> int:
        """To which depth a chain is held. Whoever holds a block holds all above it."""
        held = self._held
        while start < stop and names[start] in held:
            start += 1
        return start

    def _refer(self, names: Sequence[int], start: int, stop: int) -> None:
        """One more sequence refers to what is held already."""
        more = self._more
        for name in names[start:stop]:
            more[name] = more.get(name, 0) + 1
