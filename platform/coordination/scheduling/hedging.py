"""May a slow attempt be made a second time beside itself, and which of both is given up? (R22)

A caller that waits for a first byte longer than the route says calls ``hedge``. At most one more attempt
goes out, to another healthy replica of the same pool, if that has room now and nobody waits for it, and
within the share of the route's requests that may be tried twice. While both are under way each is charged;
``lose`` ends one of them. One is billed: the holds of the request are one, and whoever is left settles them.
"""

# Every step of a request takes (program, state, ..., now), whether or not it needs them all today.
# ruff: noqa: ARG001

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

from coordination.program.index import Program
from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling import reasons
from coordination.scheduling.caps import has_room_twice, hold_once, hold_twice
from coordination.scheduling.decisions import IN_FLIGHT, Dispatch, LookedTuple, Ticket
from coordination.scheduling.dispatching import may_use
from coordination.scheduling.health import FailureReason
from coordination.scheduling.occupation import Occupation, occupy, vacate
from coordination.scheduling.placement import estimate_here
from coordination.scheduling.pools import PoolState
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.replicas import Replica, key_of
from coordination.scheduling.settlement import levy
from coordination.scheduling.state import State

Declined = Literal["over", "waiting", "no_room", "capped", "budget"]
"""Why there is no second attempt: the first is not the only one or has answered; others wait for the pool;
no other healthy replica is open to it; its tenant may not occupy more of the pool; the route's share of
requests tried twice is used up."""
Lost = FailureReason | Literal["dropped", "unsent"]
"""How one of two attempts ended: it failed; the other answered first, or nobody waits for an answer any more;
it never reached its replica."""

MOST_SAVED: Final[Ppm] = 10 * MILLION
"""Second attempts a quiet time may save up: as many at once are no storm."""


@dataclass(slots=True)
class Hedges:
    """What was tried twice on one route. Kept by name across activations (R3)."""

    saved: Ppm = 0
    """Millionths of a second attempt that are left; never below 0."""
    requests: int = 0
    second: int = 0
    """Second attempts made: never more than the route's share of ``requests``."""
    won: int = 0
    """Of those, the ones that went on alone."""
    declined: Counter[Declined] = field(default_factory=Counter)


class Second:
    """The attempt that is being made beside the ticket's own."""

    __slots__ = ("attempt", "cached", "charged", "place", "uncached")

    def __init__(self, attempt: int, place: Occupation, uncached: int, cached: int, charged: int) -> None:
        self.attempt = attempt
        self.place = place
        self.uncached = uncached
        self.cached = cached
        self.charged = charged
        """Paid into the fairness tree for it (0 for the lane: R8)."""


def watch(program: Program, state: State, dispatch: Dispatch) -> Micros | None:
    """For how long its first byte may be waited for before ``hedge`` is asked; None: for as long as it
    takes. Counts the request, once: call it for each attempt that is not itself a second one."""
    hedging = dispatch.ticket.route.record.hedging
    if hedging is None:
        return None
    if dispatch.attempt == 1:
        account = account_of(state, dispatch.ticket.route.name)
        account.requests += 1
        account.saved = min(MOST_SAVED, account.saved + hedging.most_ppm)
    return hedging.after


def hedge(program: Program, state: State, dispatch: Dispatch, now: Micros) -> Dispatch | Declined:
    """A second attempt beside ``dispatch``, which has sent nothing yet; or why there is none."""
    ticket = dispatch.ticket
    account = account_of(state, ticket.route.name)
    found = _chosen(state, account, dispatch, now)
    if isinstance(found, str):
        account.declined[found] += 1
        silent = now - dispatch.sent_at
        ticket.decision.trace.append((reasons.NOT_HEDGED, dispatch.attempt, silent, found))
        return found
    account.saved -= MILLION
    account.second += 1
    return _made(ticket.pool, dispatch, found, now)


def lose(program: Program, state: State, loser: Dispatch, reason: Lost, now: Micros) -> None:
    """Of two attempts that are under way one is over, and the other goes on alone.

    One that is dropped is charged what it did: its prompt. One that failed is refunded, and tells against
    its replica. Its replica may have room now: call ``dispatch``. Raises ValueError unless both are.
    """
    ticket, second = loser.ticket, loser.ticket.second
    if second is None or loser.attempt not in (ticket.attempt, second.attempt):
        raise ValueError(f"attempt {loser.attempt} of {loser.request.request_id} is not one of two")
    if loser.attempt == ticket.attempt:
        account_of(state, ticket.route.name).won += 1
        _swap(ticket, second)
        request, winner = ticket.request, ticket.replica
        if winner is not None and request.stickiness != request.request_id:
            ticket.pool.sessions.sent(request.stickiness, winner, request.prompt_tokens, now)
    ticket.second = None
    charged = 0
    if reason == "dropped" and ticket.lane is None:
        charged = ticket.scope.model.cost(second.uncached, second.cached, 0)
    if charged != second.charged:
        levy(ticket, charged - second.charged)
    _tell(ticket, second.place.replica, reason, now)
    vacate(second.place)
    if ticket.caps:
        hold_once(ticket)
    ticket.decision.trace.append((reasons.LOST, loser.attempt, loser.replica, reason, charged))


def account_of(state: State, route: str) -> Hedges:
    found = state.hedges.get(route)
    if found is None:
        found = state.hedges[route] = Hedges()
    return found


def _chosen(
    state: State, account: Hedges, dispatch: Dispatch, now: Micros
) -> list[tuple[Micros, Micros, int, Replica]] | Declined:
    """Where a second attempt may go, the quickest first: (estimate, prefill, matched blocks, replica)."""
    ticket, pool = dispatch.ticket, dispatch.ticket.pool
    if (
        ticket.status != IN_FLIGHT
        or ticket.attempt != dispatch.attempt
        or ticket.second is not None
        or not ticket.prefilling
        or ticket.queue is None
        or ticket.replica is None
    ):
        return "over"
    pool.advance(now)
    if pool.waiting:
        return "waiting"
    among = pool.open_mask & pool.usable_mask & ~(ticket.excluded | ticket.replica.mask)
    for bit in pool.troubled:
        among &= ~(1 << bit)
    if not among or not may_use(pool, ticket.queue, ticket, state.at(now).reserve_of(pool.pool.name)):
        return "no_room"
    if ticket.caps and not has_room_twice(ticket):
        return "capped"
    if account.saved < MILLION:
        return "budget"
    candidates = {one.bit: one for one in pool.least_open(among)}
    for _, mask in pool.index.match(ticket.request.blocks, among, 1) if ticket.request.blocks else ():
        deepest = pool.replicas[mask.bit_length() - 1]
        candidates[deepest.bit] = deepest
    found: list[tuple[Micros, Micros, int, Replica]] = []
    for one in candidates.values():
        prefill, matched = estimate_here(pool, ticket, one)
        found.append((one.ahead([]) + prefill, prefill, matched, one))
    return sorted(found, key=lambda one: (one[0], one[3].recent, one[3].bit))


def _made(
    pool: PoolState, dispatch: Dispatch, found: list[tuple[Micros, Micros, int, Replica]], now: Micros
) -> Dispatch:
    """Send it: pay its estimate too, occupy its replica, remember the prompt there."""
    ticket, request = dispatch.ticket, dispatch.request
    _, prefill, matched, replica = found[0]
    prompt, blocks = request.prompt_tokens, request.blocks
    cached = matched_tokens(prompt, matched, len(blocks)) if matched else 0
    cost = 0 if ticket.lane is not None else ticket.scope.model.cost(prompt - cached, cached, ticket.output)
    if cost:
        levy(ticket, cost)
    seen: LookedTuple = (
        [one for *_, one in found],
        [key_of(estimate - own, one.recent, one.bit) for estimate, own, _, one in found],
        [depth for _, _, depth, _ in found],
        prompt,
        len(blocks),
        pool.pool.prefill_ns_per_token,
        pool.open_mask,
        (),
    )
    if ticket.caps:
        hold_twice(ticket)
    place = occupy(pool, replica, prefill, ticket.kv_tokens, ordinary=ticket.lane is None)
    pool.computed(replica, prompt - cached)
    if blocks:
        pool.index.insert(blocks, replica.bit, matched)
    number = ticket.tried = max(ticket.attempt, ticket.tried) + 1
    ticket.second = Second(number, place, prompt - cached, cached, cost)
    silent = now - dispatch.sent_at
    ticket.decision.trace.append((reasons.HEDGED, number, replica.url, dispatch.attempt, silent, cost))
    return Dispatch(
        dispatch.decision,
        request,
        dispatch.pool,
        replica.url,
        number,
        dispatch.queue_us,
        now,
        seen,
        ticket,
    )


def _swap(ticket: Ticket, second: Second) -> None:
    """The second attempt becomes the ticket's own, and the other way round."""
    mine, place = ticket.replica, second.place
    assert mine is not None  # noqa: S101  it is in flight
    mine.prefilled(ticket)
    ticket.attempt, second.attempt = second.attempt, ticket.attempt
    ticket.uncached, second.uncached = second.uncached, ticket.uncached
    ticket.cached, second.cached = second.cached, ticket.cached
    ticket.charged_cost, second.charged = second.charged, ticket.charged_cost
    ticket.replica, place.replica = place.replica, mine
    ticket.on_replica_us, place.prefill_us = place.prefill_us, ticket.on_replica_us
    ticket.prefilling, place.prefilling = place.prefilling, ticket.prefilling


def _tell(ticket: Ticket, replica: Replica, reason: Lost, now: Micros) -> None:
    """What the end of an attempt says of its replica: being slower than another is no failure."""
    pool, health = ticket.pool, replica.health
    if reason in ("dropped", "unsent"):
        if health.state == "probing":
            health.abandoned(now)
            pool.refresh_health(now)
        return
    ticket.excluded |= replica.mask
    health.failed(reason, now)  # type: ignore[arg-type]  # what is left of Lost
    pool.refresh_health(now)
    if reason == "connect" and not replica.retired:
        pool.index.remove_replica(replica.bit)  # a dead engine's cache is gone
        pool.index.add_replica(replica.bit, pool.pool.kv_tokens)
