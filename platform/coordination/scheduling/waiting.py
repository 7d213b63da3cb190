"""Who waits, in which order, and at which replica's door? (R15, R17, R18, R20)

A ``Queue`` is one band of a pool, or its reservation lane. The first eight requests of a leaf have a home
(R20), and for each replica a lazy heap finds the
fairest leaf with a request homed there.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling.decisions import WAITING, Ticket
from coordination.scheduling.fairness import LOCALITY_SLACK, Node, enter, leave, serve, tags, within
from coordination.scheduling.leaves import Leaf, order_of, turn_of
from coordination.scheduling.turns import ages_at

if TYPE_CHECKING:
    from coordination.scheduling.replicas import Replica

HOMED: Final = 8
"""K of R20: how many requests of a leaf have a home."""
LEAVES_TRIED: Final = 8
HELD_BYTES: Final = 256 << 20
"""Most that requests waiting for one pool may keep of a gateway's memory (R18)."""
LANE_BAND: Final = 1 << 30
"""The reservation lane sorts above every band."""


class Queue:
    """One band of a pool, or its lane."""

    __slots__ = (
        "_heavy",
        "_homes",
        "_nodes",
        "_order",
        "ageing",
        "band",
        "bytes",
        "deficit",
        "depth",
        "fresh_homes",
        "homed_mask",
        "minimum",
        "parked",
        "root",
        "wanting",
    )

    def __init__(self, band: int) -> None:
        self.band = band
        self.root = Node("", None, 0)
        self.depth = 0
        self.bytes = 0
        """Kept for the requests that wait (R18)."""
        self.minimum: Ppm = 0
        """m of R14: the part of the pool that is the band's whatever waits above it."""
        self.deficit = 0
        """D of R14: service owed, in millionths of a unit of cost."""
        self.homed_mask = 0
        """Replicas some waiting request calls home (may lag behind; never misses one)."""
        self.parked: dict[int, int] = {}
        """Bit of a replica -> uncached prefill of the requests of this queue that call it home."""
        self.ageing: list[tuple[Micros, int, Ticket]] = []
        """When waiting requests of long runs count as not served."""
        self.wanting: list[Leaf] = []
        """Leaves with requests that may take a home."""
        self.fresh_homes: list[Ticket] = []
        """Homes taken since the heaps below were last brought up to date."""
        self._nodes: dict[str, Node] = {}
        self._order = 0
        self._homes: dict[int, list[tuple[tuple[int, ...], int, Leaf]]] = {}
        self._heavy: list[tuple[int, int, Leaf]] | None = None

    @property
    def is_lane(self) -> bool:
        return self.band == LANE_BAND

    def leaf(self, path: tuple[str, ...]) -> Leaf:
        """The leaf at the end of a path of names, made with its ancestors on first use."""
        found = self._nodes.get(path[-1])
        if found is None:
            parent = self.root
            for name in path:
                found = self._nodes.get(name)
                if found is None:
                    self._order += 1
                    found = self._nodes[name] = Leaf(name, parent, self._order)
                parent = found
        assert isinstance(found, Leaf)  # noqa: S101  every node below the root is made one
        return found

    def leaves(self) -> list[Leaf]:
        return [node for node in self._nodes.values() if isinstance(node, Leaf)]

    def append(self, ticket: Ticket) -> None:
        """A request begins to wait, last of its leaf."""
        leaf = ticket.leaf
        assert leaf is not None  # noqa: S101
        leaf.join(ticket)
        self._entered(ticket, leaf)

    def prepend(self, ticket: Ticket) -> None:
        """A request waits again, first of its leaf: a retry keeps its place."""
        leaf = ticket.leaf
        assert leaf is not None  # noqa: S101
        leaf.put_back(ticket)
        self._entered(ticket, leaf)

    def _entered(self, ticket: Ticket, leaf: Leaf) -> None:
        enter(leaf, ticket.weights)
        leaf.cost_ahead += ticket.cost
        self.depth += 1
        self.bytes += ticket.request.size
        if leaf.line is not None:
            self._ages(ticket)
        if not leaf.listed:
            leaf.listed = True
            self.wanting.append(leaf)
        if self._heavy is not None:
            if len(self._heavy) > 64 + 4 * self.depth:
                self._heavy = None  # mostly out of date: made anew when next needed
            else:
                heappush(self._heavy, (-_weight(leaf), leaf._order, leaf))

    def take(self, ticket: Ticket, cost: int) -> None:
        """The request is dispatched and its path pays ``cost``."""
        leaf = ticket.leaf
        assert leaf is not None  # noqa: S101
        self._unlink(ticket, leaf)
        serve(leaf, cost, ticket.weights)

    def drop(self, ticket: Ticket) -> None:
        """The request waits no longer: expired, cancelled, displaced. Nothing is paid."""
        leaf = ticket.leaf
        assert leaf is not None  # noqa: S101
        self._unlink(ticket, leaf)
        leave(leaf)
        if not self.depth and self.deficit > 0:
            self.deficit = 0  # an idle band keeps no credit (R14)

    def _unlink(self, ticket: Ticket, leaf: Leaf) -> None:
        if ticket.home is not None:
            leaf.homed.remove(ticket)
            self.unpark(ticket)
            self.wants_home(leaf)
        leaf.cost_ahead -= ticket.cost
        self.depth -= 1
        self.bytes -= ticket.request.size
        if not self.depth:
            self._heavy = None
            self.fresh_homes.clear()

    def reorder(self) -> None:
        """A policy with another order is in force: all leaves find it anew."""
        self.ageing.clear()
        for leaf in self.leaves():
            self._reorder(leaf)
            for ticket in (*leaf.homed, *(leaf.line or ())):
                self._ages(ticket)

    def age(self, now: Micros) -> None:
        """Who has waited half of ``max_wait`` counts as not served (las, R17)."""
        leaves: dict[Leaf, None] = {}
        while self.ageing and self.ageing[0][0] <= now:
            ticket = heappop(self.ageing)[2]
            if ticket.status == WAITING and ticket.leaf is not None:
                ticket.aged = True
                leaves[ticket.leaf] = None
        for leaf in leaves:
            self._reorder(leaf)

    def _ages(self, ticket: Ticket) -> None:
        at = ages_at(ticket)
        if at is not None:
            heappush(self.ageing, (at, ticket.order, ticket))

    def _reorder(self, leaf: Leaf) -> None:
        leaf.reorder()
        self.wants_home(leaf)

    # Homes (R20)

    def wants_home(self, leaf: Leaf) -> None:
        """Requests of the leaf may take a home when homes are given next."""
        if not leaf.listed and leaf.has_unhomed:
            leaf.listed = True
            self.wanting.append(leaf)

    def park(self, ticket: Ticket, home: Replica) -> None:
        leaf = ticket.leaf
        assert leaf is not None  # noqa: S101
        ticket.home = home
        homed = leaf.homed
        homed.append(ticket)
        if leaf.line is not None:
            homed.sort(key=turn_of)
        elif len(homed) > 1 and homed[-2].order > ticket.order:
            homed.sort(key=order_of)  # a retry, or one that lost its home: it keeps its place
        home.parked_us += ticket.home_prefill
        home.parked += 1
        self.parked[home.bit] = self.parked.get(home.bit, 0) + ticket.home_prefill
        self.fresh_homes.append(ticket)

    def unpark(self, ticket: Ticket) -> None:
        home = ticket.home
        if home is not None:
            home.parked_us -= ticket.home_prefill
            home.parked -= 1
            left = self.parked.get(home.bit, 0) - ticket.home_prefill
            if left > 0:
                self.parked[home.bit] = left
            else:
                self.parked.pop(home.bit, None)
            ticket.home = None

    def evict_homes(self, replica: Replica) -> None:
        """A replica cannot be used any more: whoever called it home looks for another."""
        for leaf in self.leaves():
            lost = [ticket for ticket in leaf.homed if ticket.home is replica]
            if not lost:
                continue
            leaf.homed = [ticket for ticket in leaf.homed if ticket.home is not replica]
            for ticket in reversed(lost):
                self.unpark(ticket)
                leaf.put_back(ticket)
            self.wants_home(leaf)

    def settle_homes(self) -> None:
        """Enter the homes taken lately, as far as they still stand, into the replicas' heaps."""
        for ticket in self.fresh_homes:
            home, leaf = ticket.home, ticket.leaf
            if home is None or leaf is None or ticket.queue is not self:
                continue
            heap = self._homes.setdefault(home.bit, [])
            heappush(heap, (tags(leaf), leaf._order, leaf))
            self.homed_mask |= home.mask
            if len(heap) > 64 and len(heap) > 4 * home.parked:
                live = {entry[2] for entry in heap if _homed_at(entry[2], home.bit) is not None}
                heap[:] = [(tags(one), one._order, one) for one in live]
                heapify(heap)
        self.fresh_homes.clear()

    def first_at(self, bit: int) -> Ticket | None:
        """The request homed at a replica whose leaf comes first, within Q of its turn at every level."""
        heap = self._homes.get(bit)
        if not heap:
            self.homed_mask &= ~(1 << bit)
            return None
        found: Ticket | None = None
        passed: list[tuple[tuple[int, ...], int, Leaf]] = []
        while heap and len(passed) < LEAVES_TRIED:
            key, order, leaf = heap[0]
            ticket = _homed_at(leaf, bit)
            if ticket is None:
                heappop(heap)
                continue
            current = tags(leaf)
            if current != key:
                heapreplace(heap, (current, order, leaf))
            elif within(leaf, LOCALITY_SLACK):
                found = ticket
                break
            elif len(key) == 1:
                break  # a flat tree: all that follow are further on
            else:
                passed.append(heappop(heap))
        for entry in passed:
            heappush(heap, entry)
        if not heap:
            self.homed_mask &= ~(1 << bit)
        return found

    # Bounds (R18)

    def heaviest(self) -> Leaf | None:
        """The leaf with the most requests waiting per unit of weight."""
        if self._heavy is None:
            self._heavy = [(-_weight(leaf), leaf._order, leaf) for leaf in self.leaves() if leaf.backlog]
            heapify(self._heavy)
        heap = self._heavy
        while heap:
            key, order, leaf = heap[0]
            weight = -_weight(leaf)
            if not leaf.backlog:
                heappop(heap)
            elif weight != key:
                heapreplace(heap, (weight, order, leaf))
            else:
                return leaf
        return None


def last_of(leaf: Leaf) -> Ticket | None:
    """The request of a leaf whose turn is last: the newest, with fcfs."""
    rest = leaf.rest if leaf.line is None else leaf.line
    while rest:
        ticket = rest[-1]
        if ticket.status == WAITING and ticket.home is None:
            return ticket
        rest.pop()
    return leaf.homed[-1] if leaf.homed else None


def _weight(leaf: Leaf) -> Ppm:
    return leaf.backlog * MILLION * MILLION // leaf.phi


def _homed_at(leaf: Leaf, bit: int) -> Ticket | None:
    for ticket in leaf.homed:
        home = ticket.home
        if home is not None and home.bit == bit:
            return ticket
    return None
