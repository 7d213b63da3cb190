"""What of a decision is the same for every request of one tenant, tier and model?

All of it is resolved once, on first use: the limits on the path, the reservations of each pool, the prices as
All of it is resolved once, on first use: the limits on the path, the reservations of each pool, prices as the
and of the state's segment, and is made anew when either is another (docs/adr/0102).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordination.program.index import Reservation, Reserve, Scope, Segment, Tariff
from coordination.scheduling import reasons
from coordination.scheduling.estimates import OutputQuantile
from coordination.scheduling.pools import PoolState
from coordination.scheduling.scopes import Chain

if TYPE_CHECKING:
    from coordination.scheduling.leaves import Leaf
    from coordination.scheduling.waiting import Queue

MOST: Final = 1 << 16
"""Plans kept at once; then the oldest goes first."""


class Place:
    """One pool, as the requests of one scope find it."""

    __slots__ = ("_scope", "lanes", "leaf", "pool", "queue", "reserve", "reserved_only")

    def __init__(self, pool: PoolState, scope: Scope, segment: Segment) -> None:
        self.pool = pool
        self.lanes: tuple[Reservation, ...] = segment.lanes_for(pool.pool.name, scope)
        """Reservations its requests may use here, the tenant's own first."""
        self.reserve: Reserve | None = segment.reserve_of(pool.pool.name)
        self.reserved_only = pool.pool.reserved_only
        self.leaf: Leaf | None = None
        """Where its requests wait, outside the lane; known once the first of them does."""
        self.queue: Queue
        self._scope = scope

    def open(self) -> Leaf:
        """The leaf, made if it is not there yet."""
        self.queue = self.pool.queue(self._scope.tier.band)
        leaf = self.leaf = self.queue.leaf(self._scope.leaf_path)
        return leaf


class Plan:
    """Everything that is known of a request before it is looked at."""

    __slots__ = (
        "basis",
        "chain",
        "context_window",
        "mark",
        "outputs",
        "places",
        "scope",
        "tariff",
        "told",
    )

    def __init__(
        self,
        scope: Scope,
        segment: Segment,
        chain: Chain,
        outputs: OutputQuantile,
        basis: object,
        mark: object,
    ) -> None:
        self.basis = basis
        """Mark of the program's scopes it was made from."""
        self.mark = mark
        """Mark of the segment, the pools and the overrides."""
        self.scope = scope
        self.chain = chain
        self.outputs = outputs
        self.context_window = scope.model.context_window
        price = segment.prices.get(scope.model.name)
        self.tariff: Tariff | None = None if price is None else price.under(scope.tier.name)
        self.places: dict[str, Place] = {}
        """By pool; those that a request has come to."""
        self.told = (reasons.SEGMENT, segment.start, segment.end)
