"""What happens next? A virtual clock over arrivals, engines and timers, driving the rules that serve.

Every decision is a call of ``coordination.scheduling``, the very functions the gateway calls (a contract
test compares the two); only the replicas are a model. Simplifications, all of them kind: one gateway, which
therefore knows everything its replicas were sent (no scraped reports); token estimates are exact; nothing
is lost between gateway and engine, and the way between them takes no time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from heapq import heappop, heappush
from math import ceil
from typing import Final

import xxhash

from coordination import scheduling
from coordination.capacity import PROFILES
from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling import Classified, Decision, Dispatch, Lost, Refusal, Request, Task, Usage
from coordination.scheduling.prefix_index import TOKENS_PER_BLOCK
from coordination.simulator.bounds import Bounds
from coordination.simulator.replica import EngineLimits, Replica, Sequence
from coordination.simulator.settings import Settings
from coordination.simulator.tally import Tally
from coordination.simulator.workload import Arrival
from coordination.spec.kinds.objective import Length
from coordination.traces import BLOCK_TOKENS

NEVER: Final = 1 << 62
TRIM: Final = 64
"""Deadlines that may be kept beyond those that still matter."""
TELL_EVERY: Final = 500
"""Arrivals between two calls of ``progress``."""


class Flight:
    """One request that was admitted."""

    __slots__ = (
        "arrival",
        "blocks",
        "decision",
        "dispatch",
        "over",
        "second",
        "sequence",
        "total_at",
        "ttft",
    )

    def __init__(self, arrival: Arrival, blocks: list[int], decision: Decision) -> None:
        self.arrival = arrival
        self.blocks = blocks
        self.decision = decision
        self.dispatch: Dispatch | None = None
        self.sequence: Sequence | None = None
        self.second: tuple[Dispatch, Sequence] | None = None
        """The attempt that is made beside it (hedging)."""
        self.ttft = -1
        self.total_at = 0
        self.over = False


class Watch:
    """Deadlines that all lie equally far ahead, so that they come due in the order they were set."""

    __slots__ = ("first_byte", "hedges", "length", "timed", "trim_at", "waiting")

    def __init__(self, length: Micros, first_byte: bool, hedges: bool = False) -> None:
        """``first_byte``: it is what must come by then. ``hedges``: or a second attempt is made."""
        self.length = length
        self.first_byte = first_byte
        self.hedges = hedges
        self.waiting: deque[tuple[Micros, Flight, int]] = deque()
        """(when it is due, whose it is, which attempt)"""
        self.timed = False
        self.trim_at = TRIM

    def settled(self) -> None:
        """Forget those at the head that need no watching any more."""
        waiting = self.waiting
        while waiting:
            _, flight, attempt = waiting[0]
            dispatch = flight.dispatch
            if (
                dispatch is not None
                and dispatch.attempt == attempt
                and not (self.first_byte and flight.ttft >= 0)
            ):
                return
            waiting.popleft()


class Simulation:
    """One policy under one stream of arrivals. Call ``run`` once."""

    def __init__(
        self,
        program: Program,
        arrivals: Iterator[Arrival],
        settings: Settings,
        lengths: Collection[Length] = (),
    ) -> None:
        """``lengths``: classes of requests, by uncached prompt tokens, that are counted apart too."""
        self.program = program
        self.settings = settings
        self.start: Micros = program.records.at if settings.start is None else settings.start
        self.now: Micros = self.start
        self.state = scheduling.new_state(
            program, route_salt=f"simulation:{settings.seed}", seed=settings.seed, now=self.start
        )
        self.replicas: dict[str, Replica] = {}
        self.tally = Tally(self.start, lengths)
        self.arrived = 0
        self._arrivals = arrivals
        self._make_replicas()
        blocks = sum(one.cache.capacity + one.cache.host_capacity for one in self.replicas.values())
        self.bounds = Bounds(blocks)
        self._flights: dict[str, Flight] = {}
        self._events: list[tuple[Micros, int, Replica | Watch, int]] = []
        self._order = 0
        self._known: dict[tuple[str, str | None, str], tuple[Classified | Refusal, int]] = {}
        """What a client says -> what it means, and what its block names are salted with."""
        self._watches: dict[tuple[Micros, bool], Watch] = {}
        self._timed: dict[str, tuple[Watch, Watch, Watch | None]] = {}
        self._trials = any(route.trials for route in program.routes.values())
        """Route -> who watches for the first byte, and for the end."""

    @property
    def live(self) -> int:
        """Requests admitted and not yet over."""
        return len(self._flights)

    def run(self, progress: Callable[[int, Micros], None] | None = None) -> Simulation:
        """To the end of the arrivals and of everything they started. ``progress`` is told (requests
        arrived, microseconds simulated) now and then."""
        events, state, arrivals = self._events, self.state, self._arrivals
        start = self.start
        arrival = next(arrivals, None)
        arrives = NEVER if arrival is None else start + arrival.at_us
        while True:
            at = events[0][0] if events else NEVER
            if state.tickets or state.displaced or state.delaying:
                timer = scheduling.next_expiry(state)
                if timer is not None and timer <= at and timer <= arrives:
                    if timer > self.now:
                        self.now = timer
                    self._expire()
                    continue
            if at < arrives:
                _, _, what, version = heappop(events)
                if isinstance(what, Watch):
                    self._overdue(what, at)
                elif version == what.version:
                    self.now = at
                    self._complete(what)
            elif arrival is not None:
                self.now = arrives
                self._arrive(arrival)
                arrival = next(arrivals, None)
                arrives = NEVER if arrival is None else start + arrival.at_us
                if progress is not None and self.arrived % TELL_EVERY == 0:
                    progress(self.arrived, self.now - start)
            else:
                return self

    # Events

    def _arrive(self, arrival: Arrival) -> None:
        now, program = self.now, self.program
        self.arrived += 1
        window = self.tally.timeline.at(now)
        window.arrived += 1
        tenant, prompt = arrival.tenant, arrival.prompt_tokens
        key = (tenant, arrival.service_tier, arrival.model)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._classify(*key)
        classified, salt = known
        if isinstance(classified, Refusal):
            self.tally.refused(tenant, arrival.service_tier or "", classified.code, now, uncached=prompt)
            return
        blocks = [salt + name for name in arrival.blocks] if salt else list(arrival.blocks)
        self.bounds.arrived(prompt, blocks)
        request = Request(
            f"sim_{self.arrived}",
            tenant,
            classified.model,
            classified.tier,
            classified.scale,
            prompt,
            arrival.max_tokens,
            blocks,
            now,
            arrival.run or f"s{arrival.session}",
            None if arrival.deadline_us is None else now + arrival.deadline_us,
        )
        if program.counts_runs:
            request.task = Task(arrival.run, "" if arrival.run else f"s{arrival.session}")
        decision = scheduling.admit(program, self.state, request, now)
        if decision.verdict == "refuse":
            self._refused(decision)
            return
        self._flights[request.request_id] = Flight(arrival, blocks, decision)
        pool = decision.pool
        if pool is not None:
            self._dispatch(pool)
            waiting = self.state.pools[pool].waiting
            if waiting > window.most_waiting:
                window.most_waiting = waiting

    def _complete(self, replica: Replica) -> None:
        """A replica's planned steps are over: tell the rules what came of them, in the order it did."""
        if not replica.complete():
            self._plan(replica)
            return
        firsts, marked, finished = replica.firsts, replica.marked, replica.finished
        now, program, state, tally = self.now, self.program, self.state, self.tally
        freed: dict[str, None] = {}
        for sequence in firsts:
            flight: Flight = sequence.owner
            if flight.second is not None:
                self._won(flight, sequence)
            dispatch = flight.dispatch
            assert dispatch is not None  # noqa: S101  it reached the replica
            flight.ttft = now - flight.decision.request.arrived
            scheduling.first_byte(program, state, dispatch, now)
            tally.first(now, flight.ttft, dispatch)
            freed[dispatch.pool] = None
        for sequence in marked:
            flight = sequence.owner
            assert flight.dispatch is not None  # noqa: S101
            scheduling.progress(program, state, flight.dispatch, sequence.emitted, now)
        for sequence in finished:
            flight = sequence.owner
            dispatch = flight.dispatch
            assert dispatch is not None  # noqa: S101
            cached = sequence.cached
            usage = Usage(sequence.prompt - cached, cached, sequence.output)
            charge = scheduling.settle(program, state, dispatch, usage, "completed", now)
            decision = flight.decision
            tally.settled(decision, dispatch, charge, flight.ttft, now - decision.request.arrived, now)
            if self._trials:
                scheduling.fared(program, state, decision, False, True, flight.ttft, now)
            self._over(flight)
            freed[dispatch.pool] = None
        self._plan(replica)
        for pool in freed:
            held = state.pools[pool]
            if held.waiting or held.delayed:
                self._dispatch(pool)

    def _expire(self) -> None:
        for decision in scheduling.expire(self.program, self.state, self.now):
            self._refused(decision)
            flight = self._flights.get(decision.request.request_id)
            if flight is not None:
                self._over(flight)
        for pool, held in self.state.pools.items():
            if held.waiting or held.delayed:
                self._dispatch(pool)

    def _overdue(self, watch: Watch, now: Micros) -> None:
        """The head of a watch has come due, if it is still live; if not, nothing happened."""
        watch.timed = False
        watch.settled()
        while watch.waiting and watch.waiting[0][0] <= now:
            self.now = now
            _, flight, _ = watch.waiting.popleft()
            dispatch = flight.dispatch
            assert dispatch is not None  # noqa: S101  it is live
            if watch.hedges:
                self._hedge(flight, dispatch)
            else:
                self._time_out(flight, dispatch, watch)
            watch.settled()
        self._rewatch(watch)

    def _time_out(self, flight: Flight, dispatch: Dispatch, watch: Watch) -> None:
        """The gateway gives an attempt up: before the first byte it failed, later it is cut off."""
        now, sequence = self.now, flight.sequence
        assert sequence is not None  # noqa: S101  it was sent
        if flight.second is not None:
            if watch.first_byte:
                self._lost(flight, dispatch, sequence, "timeout")
                self._dispatch(dispatch.pool)
                return
            self._lost(flight, *flight.second, "dropped")
        if self._trials:
            scheduling.fared(self.program, self.state, flight.decision, True, True, 0, now)
        replica = self.replicas[dispatch.replica]
        replica.abort(sequence, now)
        self._plan(replica)
        if flight.ttft < 0:
            decision = scheduling.fail(self.program, self.state, dispatch, "timeout", now)
            if decision is not None:
                self._refused(decision)
                self._over(flight)
        else:
            usage = Usage(sequence.prompt - sequence.cached, sequence.cached, sequence.emitted)
            scheduling.settle(self.program, self.state, dispatch, usage, "aborted", now)
            tier = flight.decision.tier
            self.tally.refused(
                flight.arrival.tenant, tier, "upstream_timeout", now, dispatch.pool, usage.uncached_input
            )
            self._over(flight)
        self._dispatch(dispatch.pool)

    # Two attempts at once

    def _hedge(self, flight: Flight, dispatch: Dispatch) -> None:
        """Its first byte is late: a second attempt beside it, if the rules allow one."""
        second = scheduling.hedge(self.program, self.state, dispatch, self.now)
        if not isinstance(second, str):
            flight.second = second, self._submit(flight, second)

    def _won(self, flight: Flight, sequence: Sequence) -> None:
        """One of two attempts sends the first byte: the other is dropped."""
        second, own, dispatch = flight.second, flight.sequence, flight.dispatch
        assert second is not None  # noqa: S101  there are two
        assert own is not None  # noqa: S101
        assert dispatch is not None  # noqa: S101
        if sequence is own:
            self._lost(flight, *second, "dropped")
        else:
            self._lost(flight, dispatch, own, "dropped")

    def _lost(self, flight: Flight, loser: Dispatch, sequence: Sequence, reason: Lost) -> None:
        """Of two attempts this one is over; the other goes on."""
        second, flight.second = flight.second, None
        assert second is not None  # noqa: S101  there were two
        replica = self.replicas[loser.replica]
        replica.abort(sequence, self.now)
        self._plan(replica)
        scheduling.lose(self.program, self.state, loser, reason, self.now)
        if loser is flight.dispatch:
            flight.dispatch, flight.sequence = dispatch, _ = second
            first_byte = self._timed[flight.decision.route or ""][0].length
            for at, first in ((dispatch.sent_at + first_byte, True), (flight.total_at, False)):
                self._watch(Watch(max(0, at - self.now), first), flight, dispatch)

    # What the rules decided

    def _dispatch(self, pool: str) -> None:
        sent = scheduling.dispatch(self.program, self.state, pool, self.now)
        for dispatch in sent:
            self._send(dispatch)
        if sent and self.state.pools[pool].waiting:
            for dispatch in sent:
                self.tally.lag.served(dispatch, self.now)

    def _send(self, dispatch: Dispatch) -> None:
        now = self.now
        flight = self._flights[dispatch.request.request_id]
        arrival = flight.arrival
        replica = self.replicas[dispatch.replica]
        flight.dispatch = dispatch
        if not replica.fits(arrival.prompt_tokens, arrival.output_tokens):
            # The engine answers 400 at once.
            scheduling.first_byte(self.program, self.state, dispatch, now)
            scheduling.settle(self.program, self.state, dispatch, Usage(0, 0, 0), "aborted", now)
            tier = flight.decision.tier
            prompt = arrival.prompt_tokens
            self.tally.refused(arrival.tenant, tier, "context_length_exceeded", now, dispatch.pool, prompt)
            self._over(flight)
            return
        flight.sequence = self._submit(flight, dispatch)
        route = flight.decision.route or ""
        timed = self._timed.get(route)
        if timed is None:
            timed = self._timed[route] = self._watches_of(route)
        self._watch(timed[0], flight, dispatch)
        if not flight.total_at:
            flight.total_at = now + timed[1].length
            self._watch(timed[1], flight, dispatch)
        if timed[2] is not None:
            scheduling.watch(self.program, self.state, dispatch)
            self._watch(timed[2], flight, dispatch)

    def _submit(self, flight: Flight, dispatch: Dispatch) -> Sequence:
        """An attempt reaches its replica."""
        arrival, replica = flight.arrival, self.replicas[dispatch.replica]
        sequence = Sequence(
            arrival.prompt_tokens,
            arrival.output_tokens,
            flight.blocks,
            flight,
            flight.decision.held[2],
        )
        version = replica.version
        replica.submit(sequence, self.now)
        if replica.version != version:
            self._plan(replica)
        return sequence

    def _refused(self, decision: Decision) -> None:
        request, held = decision.request, decision.held
        uncached = held[0] if any(held) else request.prompt_tokens
        self.tally.refused(
            request.tenant, decision.tier, decision.code or "refused", self.now, decision.pool or "", uncached
        )

    def _over(self, flight: Flight) -> None:
        flight.dispatch = flight.sequence = None
        self._flights.pop(flight.decision.request.request_id, None)

    # Engines and timers

    def _plan(self, replica: Replica) -> None:
        """Enter the end of a replica's planned steps among the events."""
        at = replica.next_at
        if at is not None:
            order = self._order = self._order + 1
            heappush(self._events, (ceil(at), order, replica, replica.version))

    def _watches_of(self, route: str) -> tuple[Watch, Watch, Watch | None]:
        """Routes with equal timeouts have them in common, but for those that hedge."""
        record = self.program.routes[route].record
        timeouts, hedging = record.timeouts, record.hedging
        first = self._watches.setdefault((timeouts.first_byte, True), Watch(timeouts.first_byte, True))
        total = self._watches.setdefault((timeouts.total, False), Watch(timeouts.total, False))
        return first, total, None if hedging is None else Watch(hedging.after, True, hedges=True)

    def _watch(self, watch: Watch, flight: Flight, dispatch: Dispatch) -> None:
        waiting = watch.waiting
        waiting.append((self.now + watch.length, flight, dispatch.attempt))
        if len(waiting) > watch.trim_at:
            watch.settled()
            watch.trim_at = len(waiting) + TRIM
        if not watch.timed:
            self._rewatch(watch)

    def _rewatch(self, watch: Watch) -> None:
        if watch.waiting:
            watch.timed = True
            self._order += 1
            heappush(self._events, (watch.waiting[0][0], self._order, watch, 0))

    def _classify(
        self, tenant: str, service_tier: str | None, model: str
    ) -> tuple[Classified | Refusal, int]:
        """Salted block names are equal only where the cache may be shared: within a tenant, or in the whole
        pool if the tier says so."""
        classified = scheduling.classify(self.program, tenant, service_tier, model)
        if isinstance(classified, Refusal) or self.program.tiers[classified.tier].shares_cache:
            return classified, 0
        return classified, xxhash.xxh3_64_intdigest(tenant.encode()) >> 5

    def _make_replicas(self) -> None:
        """One engine for each replica the policy names, and caches of the right size in the rules' index:
        it counts blocks of 128 tokens, a trace's blocks have 512, and it knows nothing of a host tier."""
        host = self.settings.host_tokens
        given = dict(self.settings.profiles)
        for pool in self.program.records.pools:
            limits = EngineLimits(
                given.get(pool.name) or PROFILES[pool.profile],
                pool.capacity.kv_tokens,
                pool.capacity.sequences,
                host,
            )
            index = self.state.pools[pool.name].index
            for bit, replica in self.state.pools[pool.name].replicas.items():
                if replica.url not in self.replicas:
                    self.replicas[replica.url] = Replica(
                        limits, name=replica.url, mark_tokens=scheduling.PROGRESS_TOKENS
                    )
                index.add_replica(bit, (limits.kv_tokens + host) // BLOCK_TOKENS * TOKENS_PER_BLOCK)
