"""What does a gateway remember between decisions, and what survives a new policy? (R1, R3)

Everything is kept by name, so activation only has to adjust what the policy changed: meters keep
their level clipped to the new burst, pools keep their caches and queues, requests in flight settle
against the meters they were held on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import xxhash

from coordination.program.index import Program, Reservation, Scope, Segment
from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling.caps import Cap, CapKey
from coordination.scheduling.decisions import WAITING, Decision, Ticket
from coordination.scheduling.estimates import OutputQuantile
from coordination.scheduling.lending import KEPT, POOL, THROUGH, meter_key
from coordination.scheduling.limits import MeterKey, QuotaMeter, Slots, quota_key, resized
from coordination.scheduling.plans import MOST, Plan
from coordination.scheduling.pools import PoolState
from coordination.scheduling.promises import Envelope, Kept
from coordination.scheduling.ramps import Ramp
from coordination.scheduling.reservations import LaneBuckets
from coordination.scheduling.runs import Runs
from coordination.scheduling.scopes import Chain, build_chain

if TYPE_CHECKING:
    from coordination.scheduling.hedging import Hedges
    from coordination.scheduling.mirroring import Copies
    from coordination.scheduling.trials import Trials


class State:
    """Caller-owned, mutated in place by every function of this package. Not thread-safe."""

    __slots__ = (
        "_expiry",
        "_order",
        "caps",
        "copies",
        "credited",
        "delaying",
        "displaced",
        "draining",
        "hedges",
        "kept",
        "lanes",
        "mark",
        "meters",
        "open",
        "outputs",
        "plans",
        "pools",
        "program",
        "promised",
        "raised",
        "ramps",
        "route_salt",
        "runs",
        "seed",
        "segment",
        "shadowed",
        "shares",
        "shortfalls",
        "slots",
        "tickets",
        "touched",
        "trials",
    )

    def __init__(self, program: Program, route_salt: str, seed: int, now: Micros) -> None:
        self.program = program
        self.route_salt = route_salt
        self.seed = seed
        self.segment: Segment = program.segment_at(now)
        self.meters: dict[MeterKey, QuotaMeter] = {}
        self.shares: dict[MeterKey, QuotaMeter] = {}
        """What tenants keep from each other below the ceilings in ``meters`` (R9)."""
        self.raised: dict[MeterKey, tuple[Ppm, str]] = {}
        """Limits that an override raises -> by what, and why."""
        self.draining: dict[str, str] = {}
        """Pools that take nothing new because of an override -> why."""
        self.slots: dict[str, Slots] = {}
        self.caps: dict[CapKey, Cap] = {}
        """What tenants may occupy, and what they do (R19)."""
        self.runs = Runs()
        self.shadowed: dict[MeterKey, int] = {}
        """Limits in shadow -> requests they would have refused."""
        self.ramps: dict[tuple[str, str], Ramp] = {}
        """(tenant, tier) -> how its use may grow (R10)."""
        self.lanes: dict[str, LaneBuckets] = {}
        self.plans: dict[tuple[str, str, str], Plan] = {}
        """(tenant, tier, model) -> what is the same for all of their requests."""
        self.mark = object()
        """Another one as soon as limits, prices, reservations or pools may be: plans carry it."""
        self.outputs: dict[tuple[str, str], OutputQuantile] = {}
        """(tenant, model) -> what its answers came to."""
        self.pools: dict[str, PoolState] = {}
        self.shortfalls: dict[str, int] = {}
        """Reservation -> requests within its promise that lost capacity kept from its lane (R8)."""
        self.kept: dict[str, Kept] = {}
        """Reservation -> what became of the requests it promised their first byte in time (R8)."""
        self.promised: dict[str, Envelope] = {}
        """Portion of a reservation -> what of its traffic conforms to that promise."""
        self.tickets: dict[str, Ticket] = {}
        """Requests that wait, by id."""
        self.open: set[Ticket] = set()
        """Requests admitted and not over that hold something of a limit by the hour, day or month."""
        self.credited: dict[MeterKey, QuotaMeter] = {}
        """Meters that were credited since they were last remembered."""
        self.touched: set[Chain] = set()
        """Chains with such limits that were used since they were last remembered (R26)."""
        self.delaying: list[PoolState] = []
        """Pools in which a lane request has ever waited to conform."""
        self.displaced: list[Decision] = []
        """Refused after having been queued; ``expire`` hands them over."""
        self.copies: dict[tuple[str, str], Copies] = {}
        """(route, pool) -> what was copied there."""
        self.trials: dict[str, Trials] = {}
        """Route -> its canaries (R4)."""
        self.hedges: dict[str, Hedges] = {}
        """Route -> what was tried twice on it (R22)."""
        self._expiry: list[tuple[Micros, int, Ticket]] = []
        self._order = 0

    def pool(self, name: str, now: Micros) -> PoolState:
        """A pool the policy names, made on first use: a self-test looks at one of many."""
        found = self.pools.get(name)
        if found is None:
            found = self.pools[name] = PoolState(self.program.pools[name], now)
        return found

    def at(self, now: Micros) -> Segment:
        """The timeline segment in force (R1)."""
        segment = self.segment
        if now < segment.start or (segment.end is not None and now >= segment.end):
            before, segment = segment, self.program.segment_at(now)
            self.segment = segment
            self.mark = object()
            if segment.limits != before.limits:
                for _ in resizing(self, lambda: now):
                    pass
        return segment

    def plan(self, program: Program, tenant: str, tier: str, model: str, now: Micros) -> Plan:
        """What is known of a request before it is looked at. Raises KeyError for a name the program lacks."""
        key = (tenant, tier, model)
        found = self.plans.get(key)
        if found is None or found.mark is not self.mark or found.basis is not program.basis:
            segment = self.at(now)
            scope = program.scope(tenant, tier, model)
            chain = build_chain(
                *(scope, self.program, segment, self.meters, self.shares, self.slots, self.caps),
                self._ramp(scope, now),
                now,
            )
            if self.raised or self.program.overlay.set_by:
                chain.labels = tuple([self._label(meter.key) for _, meter in chain.rates])
            if len(self.plans) >= MOST:
                del self.plans[next(iter(self.plans))]
            found = self.plans[key] = Plan(
                *(scope, segment, chain, self.expected_output(tenant, model), program.basis, self.mark)
            )
        return found

    def _label(self, key: MeterKey) -> str:
        """What explanations call a limit, who set it, and by which override it is raised."""
        raised = self.raised.get(key)
        giver = self.program.overlay.set_by.get(key[1:])
        label = f"{key[1]}: {key[2]} per {key[3]}"
        label = label if giver is None else f"{label}, set by the administrators of {giver}"
        return label if raised is None else f"{label}, raised by {raised[1]}"

    def raised_to(self, key: MeterKey, ceiling: int) -> int:
        """What a limit of this size is while overrides have their say."""
        raised = self.raised.get(key)
        return ceiling if raised is None else ceiling * raised[0] // MILLION

    def _ramp(self, scope: Scope, now: Micros) -> Ramp | None:
        record = scope.tier.ramp
        if record is None:
            return None
        key = (scope.tenant.name, scope.tier.name)
        found = self.ramps.get(key)
        if found is None:
            found = self.ramps[key] = Ramp(*key, record, now)
        return found

    def buckets(self, reservation: Reservation, now: Micros) -> LaneBuckets:
        found = self.lanes.get(reservation.key)
        if found is None:
            found = self.lanes[reservation.key] = LaneBuckets(reservation, now)
        return found

    def expected_output(self, tenant: str, model: str) -> OutputQuantile:
        found = self.outputs.get((tenant, model))
        if found is None:
            found = self.outputs[tenant, model] = OutputQuantile()
        return found

    def jitter(self, request_id: str, wait: Micros) -> Micros:
        """``wait`` times U[1, 1.5]: the same for the same request and seed (R11)."""
        return wait + wait * (xxhash.xxh3_64_intdigest(request_id.encode(), self.seed) >> 44) // (1 << 21)

    def fell_short(self, reservation: str, decision: Decision) -> None:
        """A promise was not kept, and that is on us: counted once a request."""
        if decision.short is None:
            decision.short = reservation
            self.shortfalls[reservation] = self.shortfalls.get(reservation, 0) + 1

    # Waiting requests and their timers

    def admitted(self, ticket: Ticket) -> None:
        """The request waits for the first time."""
        self._order = ticket.order = self._order + 1
        self.waits(ticket)

    def waits(self, ticket: Ticket) -> None:
        """The request waits, or its time to expire has changed: it needs a timer (again)."""
        request_id = ticket.request.request_id
        self.tickets.pop(request_id, None)
        self.tickets[request_id] = ticket
        ticket.timed = False

    def next_timer(self) -> Micros | None:
        """When the first waiting request expires.

        Most requests are gone before anybody asks, and never get a timer: the newest tickets without
        one stand at the end of ``tickets``.
        """
        heap = self._expiry
        for ticket in reversed(self.tickets.values()):
            if ticket.timed:
                break
            ticket.timed = True
            heappush(heap, (ticket.expires, ticket.order, ticket))
        if len(heap) > 64 and len(heap) > 2 * len(self.tickets):
            heap[:] = [(one.expires, one.order, one) for one in self.tickets.values()]
            heapify(heap)
        while heap and (heap[0][2].status != WAITING or heap[0][0] != heap[0][2].expires):
            heappop(heap)
        return heap[0][0] if heap else None

    def expired(self, now: Micros) -> list[Ticket]:
        found: list[Ticket] = []
        while (at := self.next_timer()) is not None and at <= now:
            ticket = heappop(self._expiry)[2]
            if ticket not in found:
                found.append(ticket)
        return found


def new_state(program: Program, *, route_salt: str, seed: int, now: Micros) -> State:
    """An idle gateway under a policy. ``route_salt`` is R4's secret; ``seed`` spreads retry times."""
    state = State(program, route_salt, seed, now)
    for name in program.pools:
        state.pool(name, now)
    return state


def resizing(state: State, now: Callable[[], Micros]) -> Iterator[None]:
    """Give meters the limits of the segment in force; their levels stay, clipped (R3). A limit at a time."""
    program = state.program
    for quota in program.quotas.values():
        slots = state.slots.get(quota.name)
        if slots is not None and quota.concurrency is not None:
            slots.limit = quota.concurrency
        for limit in state.segment.limits_of(quota):
            of = quota_key(quota.name, limit.of, limit.per)
            meter = state.meters.get(of)
            if meter is not None:
                ceiling = state.raised_to(of, limit.ceiling) if state.raised else limit.ceiling
                resized(meter, ceiling, quota.zone, now())
        yield
    for key in list(state.segment.pledges):
        pledge = state.segment.pledges.get(key)
        if pledge is not None:
            zone = program.quotas[pledge.quota].zone
            for kind, size in ((POOL, pledge.pool), (KEPT, pledge.kept), (THROUGH, pledge.through or 0)):
                meter = state.shares.get(meter_key(kind, pledge))
                if meter is not None:
                    resized(meter, size, zone, now())
        yield
