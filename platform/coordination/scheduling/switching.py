"""How does another policy come into force, without holding decisions up? (R3)

At once: routes, tiers, pools, entitlement, and what the waiting requests stand under. Piece by piece, as
the caller finds time: the sizes of the limits in use, thousands of which may be there, and letting go of
what the old policy was made of. Until its turn has come a limit has its old size; no decision is taken
between two policies, since each piece is a whole limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling.caps import follow
from coordination.scheduling.decisions import Ticket
from coordination.scheduling.state import State, resizing
from coordination.scheduling.trials import carry_on

LIGHT, HEAVY = 1, 2
"""What a piece of the work is: one thing, or as much as a whole step may be."""
PIECES: Final = 32
"""At a time: some 0.1 ms."""


class Switch:
    """A policy that has come into force, and what is still to be done about it."""

    def __init__(self, state: State, program: Program, now: Micros, *leaving: dict[Any, Any]) -> None:
        """``leaving``: further things that end with the old policy, let go of piece by piece too."""
        self._now = now
        old = state.program
        plans, state.plans = state.plans, {}
        _at_once(state, program, now)
        self._work = self._pieces(state, program, [plans, *leaving], old if old is not program else None)

    def step(self, now: Micros, pieces: int = PIECES) -> bool:
        """Do some of what is left; ``False`` when that was all."""
        self._now = now
        for _ in range(pieces):
            found = next(self._work, None)
            if found != LIGHT:
                return found == HEAVY
        return True

    def _pieces(
        self, state: State, program: Program, leaving: list[dict[Any, Any]], old: Program | None
    ) -> Iterator[int]:
        """Yields how much each piece was."""
        for _ in resizing(state, lambda: self._now):
            yield LIGHT
        for _ in follow(state, program):
            yield LIGHT
        for (tenant, tier), ramp in list(state.ramps.items()):
            known = tier in program.tiers and tenant in program.tenants
            record = program.tiers[tier].ramp if known else None
            if record is None:
                state.ramps.pop((tenant, tier), None)
            else:
                ramp.follow(record, self._now)
            yield LIGHT
        for name, buckets in list(state.lanes.items()):
            reservation = program.reservations.get(name)
            if reservation is not None:
                buckets.resize(reservation, self._now)
            yield LIGHT
        for held in leaving:
            while held:
                held.popitem()
                yield LIGHT
        parts: list[Any] = old.parts() if old is not None else []
        old = None
        within: list[object] = []
        for part in parts:
            within += part
            yield HEAVY
            if isinstance(part, dict):
                within += part.values()
                yield HEAVY
        while parts:
            part = None  # the last name of it, or it would not go
            parts.pop()
            yield HEAVY
        while within:
            within.pop()
            yield LIGHT


def activate(state: State, program: Program, now: Micros) -> None:
    """Put a new policy in force, wholly. Requests whose pool or tenant it drops are refused by the next
    ``expire``; all others keep their place."""
    switch = Switch(state, program, now)
    while switch.step(now):
        pass


def _at_once(state: State, program: Program, now: Micros) -> None:
    before = state.program.tiers
    reordered = any(before[n].order != tier.order for n, tier in program.tiers.items() if n in before)
    state.program = program
    state.segment = program.segment_at(now)
    state.mark = object()
    for name, pool in program.pools.items():
        state.pool(name, now).resize(pool, now)
    for ticket in list(state.tickets.values()):
        _carry_over(state, ticket, program, now)
    if reordered:
        for held in state.pools.values():
            for queue in held.queues:
                queue.reorder()
    if state.trials:
        carry_on(state, program)
    for name in [name for name in state.pools if name not in program.pools]:
        del state.pools[name]


def _carry_over(state: State, ticket: Ticket, program: Program, now: Micros) -> None:
    """Move a waiting request under the new policy's names, or let it expire at once."""
    request = ticket.request
    try:
        scope = program.scope(request.tenant, ticket.decision.tier, request.model)
    except KeyError:
        scope = None
    if scope is None or ticket.pool.pool.name not in program.pools:
        ticket.expires = now
        state.waits(ticket)
        return
    moved = ticket.lane is None and scope.leaf_path != ticket.scope.leaf_path
    ticket.scope = scope
    if ticket.lane is not None:
        return
    if not moved or ticket.queue is None or ticket.leaf is None:
        ticket.weights = scope.weights
        return
    ticket.weights = scope.weights
    if ticket.delayed:
        ticket.leaf = ticket.queue.leaf(scope.leaf_path)
        return
    ticket.queue.drop(ticket)
    ticket.leaf.remove(ticket)
    ticket.leaf = ticket.queue.leaf(scope.leaf_path)
    ticket.queue.append(ticket)
