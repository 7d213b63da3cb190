"""Which requests are sent to another pool as well, and is there room for a copy? (a target's ``mirror``)

A copy is nobody's request: it holds no limit, pays no fairness cost, waits in no queue and is never tried
again. What it does is take up a replica, which the gate counts (R19), so that it cannot crowd out what the
pool is there for: a copy goes out only where a replica is open and nobody waits, leaves free what is
reserved, and is one of at most ``AT_ONCE``. What has no room is dropped, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from coordination.program.records import Micros
from coordination.scheduling import reasons
from coordination.scheduling.decisions import Dispatch
from coordination.scheduling.dispatching import leaves_free
from coordination.scheduling.health import FailureReason
from coordination.scheduling.occupation import Occupation, occupy, prefilled, vacate
from coordination.scheduling.pools import PoolState
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.replicas import Replica
from coordination.scheduling.routing import point
from coordination.scheduling.state import State

AT_ONCE: Final = 32
"""Copies of one route under way in one pool."""
LARGEST_BODY: Final = 1 << 20
"""Bytes of a request that may be copied: with ``AT_ONCE`` this bounds what copies keep in memory."""

Dropped = Literal["waiting", "no_room", "too_many", "too_large"]
"""Others wait for the pool; no replica of it is open to a copy; ``AT_ONCE``; ``LARGEST_BODY``."""
Ended = Literal["completed", "refused"] | FailureReason
"""How a copy ended. ``refused``: the engine would not have it (a 4xx)."""


@dataclass(slots=True)
class Copies:
    """What was copied from one route to one pool. Kept by name across activations (R3)."""

    open: int = 0
    sent: int = 0
    dropped: Counter[Dropped] = field(default_factory=Counter)
    ended: Counter[Ended] = field(default_factory=Counter)


class Copy:
    """One copy under way. Over once, by ``copied``."""

    __slots__ = ("copies", "place", "pool", "replica", "route")

    def __init__(self, route: str, pool: str, replica: str, place: Occupation, copies: Copies) -> None:
        self.route = route
        self.pool = pool
        self.replica = replica
        """Base URL."""
        self.place = place
        self.copies = copies


def mirror(state: State, dispatch: Dispatch, now: Micros) -> list[Copy]:
    """The copies to send of a request that was just dispatched; each takes up its replica from now on."""
    return list(_copies(state, dispatch, now))


def copy_began(copy: Copy) -> None:
    """Its first byte came: its prefill is done."""
    prefilled(copy.place)


def copied(copy: Copy, ended: Ended, now: Micros) -> None:
    """The copy is over, and its place is free: call ``dispatch`` for its pool. A replica that failed it is
    known to have failed something."""
    vacate(copy.place)
    copy.copies.open -= 1
    copy.copies.ended[ended] += 1
    pool, health = copy.place.pool, copy.place.replica.health
    if ended != "completed" and ended != "refused":
        health.failed(ended, now)
        pool.refresh_health(now)
    elif health.score and health.state == "healthy":
        health.succeeded()


def _copies(state: State, dispatch: Dispatch, now: Micros) -> Iterator[Copy]:
    ticket, request = dispatch.ticket, dispatch.request
    route = ticket.route
    for name, below in route.mirrors:
        # By session, as arms are (R4): the copies of a conversation find in the pool's cache what the
        # conversation itself would.
        if point(state.route_salt, f"{route.name}\0mirror\0{name}", request.stickiness) >= below:
            continue
        if name == dispatch.pool or ticket.pool.pool.model is not state.pool(name, now).pool.model:
            continue  # it is there already; or a fallback was asked for another model, in other words
        copies = state.copies.get((route.name, name))
        if copies is None:
            copies = state.copies[route.name, name] = Copies()
        found = _place(state, dispatch, copies, state.pool(name, now), now)
        if isinstance(found, Copy):
            copies.open += 1
            copies.sent += 1
            ticket.decision.trace.append((reasons.MIRRORED, name, found.replica))
            yield found
        else:
            copies.dropped[found] += 1
            ticket.decision.trace.append((reasons.NOT_MIRRORED, name, found))


def _place(state: State, dispatch: Dispatch, copies: Copies, pool: PoolState, now: Micros) -> Copy | Dropped:
    ticket, request = dispatch.ticket, dispatch.request
    if request.size > LARGEST_BODY:
        return "too_large"
    if copies.open >= AT_ONCE:
        return "too_many"
    pool.advance(now)
    if pool.waiting:
        return "waiting"
    among = pool.open_mask & pool.usable_mask
    for bit in pool.troubled:
        among &= ~(1 << bit)
    reserve = state.at(now).reserve_of(pool.pool.name)
    kept = ticket.scope.tier.holdback_ppm + (reserve.kept_ppm if reserve is not None else 0)
    if not among or pool.pool.reserved_only or not leaves_free(pool, kept):
        return "no_room"
    replica, prefill, matched = _quickest(pool, dispatch, among)
    prompt, blocks = request.prompt_tokens, request.blocks
    place = occupy(pool, replica, prefill, prompt + ticket.output, ordinary=True)
    pool.computed(replica, prompt - (matched_tokens(prompt, matched, len(blocks)) if matched else 0))
    if blocks:
        pool.index.insert(blocks, replica.bit, matched)
    return Copy(ticket.route.name, pool.pool.name, replica.url, place, copies)


def _quickest(pool: PoolState, dispatch: Dispatch, among: int) -> tuple[Replica, Micros, int]:
    """(replica, prefill there, matched blocks): of the least loaded and the one with the deepest match, where
    the first byte would come first."""
    prompt, blocks = dispatch.request.prompt_tokens, dispatch.request.blocks
    candidates = {one.bit: one for one in pool.least_open(among)}
    for _, mask in pool.index.match(blocks, among, 1) if blocks else ():
        deepest = pool.replicas[mask.bit_length() - 1]
        candidates[deepest.bit] = deepest
    best: tuple[Micros, int, Replica, Micros, int] | None = None
    for replica in candidates.values():
        matched = pool.index.depth(blocks, replica.bit) if blocks else 0
        cached = matched_tokens(prompt, matched, len(blocks)) if matched else 0
        prefill = pool.prefill_us(prompt - cached)
        found = (replica.ahead([]) + prefill, replica.recent, replica, prefill, matched)
        if best is None or found[:2] < best[:2]:
            best = found
    assert best is not None  # noqa: S101  the mask was not empty
    return best[2:]
