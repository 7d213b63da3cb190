"""What does a caller get back from ``admit`` and ``dispatch``, and what do they remember?

``Decision`` and ``Dispatch`` are what the outside sees. Both point at the request's ``Ticket``: the one
mutable object that holds what was set aside for it and where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from coordination.program.index import Reservation, Route
from coordination.program.records import Micros
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.reasons import TraceLine, render
from coordination.scheduling.replicas import Replica, load_in, recent_in
from coordination.scheduling.values import Charge, Code, Hold, Lane, Request, Step

if TYPE_CHECKING:
    from coordination.scheduling.caps import Cap
    from coordination.scheduling.hedging import Second
    from coordination.scheduling.leaves import Leaf
    from coordination.scheduling.plans import Plan
    from coordination.scheduling.pools import PoolState
    from coordination.scheduling.promises import Promise
    from coordination.scheduling.reservations import LaneBuckets
    from coordination.scheduling.runs import Course, Kind
    from coordination.scheduling.scopes import Drawn
    from coordination.scheduling.turns import Turn
    from coordination.scheduling.waiting import Queue

Verdict = Literal["admit", "queue", "refuse"]

NO_COURSES: Final[Mapping[Kind, Course]] = {}

WAITING: Final = 0
IN_FLIGHT: Final = 1
OVER: Final = 2


class Considered(NamedTuple):
    """A replica looked at when the request took its home, with the parts of its score."""

    replica: Replica
    load_us: int
    """Prefill in flight there, and parked for it."""
    prefill_us: int
    """What the uncached part of this prompt would take there."""
    matched_blocks: int
    recent_tokens: int
    """Computed there in the last minute: breaks ties."""
    open: bool
    usable: bool


class Looked(NamedTuple):
    """What was known of the replicas looked at, at that instant. The hot path keeps bare tuples of these
    fields; they are spelled out when somebody asks."""

    replicas: Sequence[Replica]
    keys: Sequence[int]
    """Of each, its load, its recent tokens and its bit (``replicas.key_of``)."""
    depths: Sequence[int]
    """Of each, how many blocks of the prompt it held; empty: none of them any."""
    prompt_tokens: int
    blocks: int
    """Of the prompt."""
    ns_per_token: int
    """Of prefill."""
    open_mask: int
    troubled: Collection[int]

    def spelled_out(self) -> tuple[Considered, ...]:
        prompt, blocks = self.prompt_tokens, self.blocks
        return tuple(
            Considered(
                one,
                load_in(key),
                (prompt - matched_tokens(prompt, depth, blocks)) * self.ns_per_token // 1000,
                depth,
                recent_in(key),
                self.open_mask & one.mask != 0,
                one.bit not in self.troubled,
            )
            for one, key, depth in zip(
                self.replicas, self.keys, self.depths or (0,) * len(self.replicas), strict=True
            )
        )


LookedTuple = tuple[Sequence[Replica], Sequence[int], Sequence[int], int, int, int, int, Collection[int]]


class Decision:
    """The answer to one request. When it is not refused the request waits in its pool."""

    __slots__ = (
        "code",
        "cost",
        "held",
        "message",
        "pool",
        "promise",
        "request",
        "reservation",
        "retry_after_us",
        "route",
        "shadowed",
        "short",
        "tier",
        "tier_requested",
        "trace",
        "verdict",
    )

    def __init__(self, request: Request, trace: list[TraceLine]) -> None:
        """As it stands before anything is decided."""
        self.request = request
        self.verdict: Verdict = "admit"
        self.code: Code | None = None
        self.message = ""
        self.retry_after_us: Micros | None = None
        self.route: str | None = None
        self.pool: str | None = None
        self.tier = request.tier
        """Tier served, and billed as."""
        self.tier_requested = request.tier
        self.reservation: Lane = "none"
        self.cost = 0
        """Estimated fairness cost, millionths of an uncached input token."""
        self.held = (0, 0, 0)
        self.trace = trace
        self.shadowed: tuple[str, ...] = ()
        """Limits in shadow that would have refused it."""
        self.short: str | None = None
        """The reservation whose promise to it lost capacity broke."""
        self.promise: Promise | None = None
        """Of its reservation: when its first byte must come."""

    @property
    def hold(self) -> Hold:
        return Hold(*self.held)

    @property
    def steps(self) -> list[Step]:
        """The reasoning so far, in words."""
        return [render(line) for line in self.trace]


def considered(seen: LookedTuple | tuple[()]) -> tuple[Considered, ...]:
    """The replicas looked at, in words; none before a request takes its home."""
    return Looked(*seen).spelled_out() if seen else ()


class Dispatch:
    """One attempt to serve a request on one replica."""

    __slots__ = (
        "attempt",
        "charge",
        "decision",
        "pool",
        "queue_us",
        "replica",
        "request",
        "seen",
        "sent_at",
        "ticket",
    )

    ticket: Ticket

    def __init__(
        self,
        decision: Decision,
        request: Request,
        pool: str,
        replica: str,
        attempt: int,
        queue_us: Micros,
        sent_at: Micros,
        seen: LookedTuple | tuple[()],
        ticket: Ticket | None,
    ) -> None:
        """``replica``: its base URL; ``attempt``: 1 for the first. ``ticket``: ``None`` in a process that the
        rules do not run in, and that gives none of these to them."""
        self.decision = decision
        self.request = request
        self.pool = pool
        self.replica = replica
        self.attempt = attempt
        self.queue_us = queue_us
        self.sent_at = sent_at
        self.seen = seen
        if ticket is not None:
            self.ticket = ticket
        self.charge: Charge | None = None

    @property
    def considered(self) -> tuple[Considered, ...]:
        """The replicas looked at."""
        return considered(self.seen)


class Ticket:
    """Where one admitted request stands. Internal: callers pass it back inside a Dispatch."""

    __slots__ = (
        "aged",
        "amounts",
        "attempt",
        "burn",
        "cached",
        "capped_by",
        "caps",
        "chain",
        "charged_cost",
        "cost",
        "courses",
        "decision",
        "delayed",
        "drawn",
        "enqueued",
        "excluded",
        "expires",
        "home",
        "home_depth",
        "home_estimate",
        "home_prefill",
        "homed_at",
        "kv_tokens",
        "lane",
        "leaf",
        "matched_at",
        "matches",
        "on_replica_us",
        "order",
        "output",
        "owed",
        "plan",
        "pool",
        "prefilling",
        "progressed",
        "queue",
        "replica",
        "request",
        "reservation",
        "route",
        "scope",
        "second",
        "seen",
        "status",
        "timed",
        "tried",
        "turn",
        "uncached",
        "weights",
    )

    # Declared here, set before it is looked at: setting all of it twice is felt.

    # With each pool that is tried
    pool: PoolState
    uncached: int
    cached: int
    output: int
    cost: int
    amounts: tuple[int, int, int, int, int]
    """Held, then charged: requests, input, output and total tokens, spend."""

    # As it joins its queue
    order: int
    """Position among all requests ever admitted: who came first."""
    timed: bool
    expires: Micros
    drawn: Drawn | None
    """Its parts of shared limits, where it has any."""
    burn: tuple[int, int]
    """Of its reservation, if it has one."""
    queue: Queue | None
    leaf: Leaf | None

    # With its home
    home_prefill: Micros
    home_estimate: Micros
    home_depth: int
    """Blocks of it that home held."""
    homed_at: Micros

    # As it is sent
    charged_cost: int
    """Paid into the fairness tree so far (0 for the lane: R8)."""
    prefilling: bool
    on_replica_us: Micros
    kv_tokens: int
    progressed: int
    """Output tokens charged so far."""

    def __init__(self, request: Request, decision: Decision, plan: Plan, route: Route, now: Micros) -> None:
        self.request = request
        self.decision = decision
        self.plan = plan
        """Limits and prices in force when it came: what is held stays held under them."""
        self.scope = scope = plan.scope
        """Under the policy in force now, while it waits."""
        self.chain = plan.chain
        self.route = route
        self.enqueued = now
        """When it was let in, and its amounts were held."""
        self.status = WAITING
        self.attempt = 0
        self.tried = 0
        """Number of the last attempt that was made beside another (``hedging``)."""
        self.second: Second | None = None
        """The attempt that is being made beside this one."""
        self.excluded = 0
        """Mask of replicas that failed it already."""
        self.owed = False
        """Went before higher bands because its own was owed (R14)."""
        self.courses: Mapping[Kind, Course] = NO_COURSES
        """The run and the session it is a step of, where they are counted."""
        self.delayed = False
        """Not in its queue: it waits to conform, because its run goes in a circle, or for a cap."""
        self.caps: tuple[tuple[Cap, int], ...] = ()
        """What it must hold in its pool before it joins its queue, and how much of each (R19)."""
        self.capped_by: Cap | None = None
        """For which of them it stands aside."""
        self.reservation: Reservation | None = None
        self.lane: LaneBuckets | None = None
        self.weights: tuple[int, ...] = scope.weights
        self.turn: Turn | None = None
        """Its place in a leaf that does not go by arrival (R17)."""
        self.aged = False
        """Has waited so long that its run counts as not served (R17)."""
        self.home: Replica | None = None
        self.seen: LookedTuple | tuple[()] = ()
        """The replicas looked at when it took its home."""
        self.matches: list[tuple[int, int]] = []
        """Deepest prefix matches, as of version ``matched_at`` of the pool's index."""
        self.matched_at = (-1, -1)
        self.replica: Replica | None = None
