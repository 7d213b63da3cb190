"""Where does an admitted request go, why there, and how long does the gateway expect it to wait?

Asked by self-tests and expectations, of a state that is about to be thrown away: the answer is what
``dispatch`` does next.
"""

from __future__ import annotations

from typing import NamedTuple

from coordination.program.index import Program
from coordination.program.records import Micros, PlacedFor
from coordination.scheduling import reasons
from coordination.scheduling.decisions import Decision, Ticket, considered
from coordination.scheduling.dispatching import dispatch
from coordination.scheduling.placement import PLAIN
from coordination.scheduling.pools import PoolState
from coordination.scheduling.replicas import GATE_US, Replica
from coordination.scheduling.state import State


class Placed(NamedTuple):
    """What becomes of a request that is not refused."""

    replica: str | None
    """URL of the one it is sent to, or waits for; None when it waits behind others of its tenant that have
    yet to be placed."""
    because: PlacedFor | None
    wait_us: Micros
    """0 when it is sent at once. Else the most of what the tenant's own queue takes (R11), what its replica
    has yet to prefill before it opens (R19), and what it must wait to conform. For a place among sequences
    or in KV memory nobody knows when it is free: then it is as long as the request may wait at all."""


def placed(program: Program, state: State, decision: Decision, now: Micros) -> Placed | None:
    """Dispatch what waits, and say what became of the request just admitted; None when it was refused.

    ``state`` is used up: requests of it are sent that nobody settles.
    """
    request = decision.request
    if decision.verdict == "refuse" or decision.pool is None:
        return None
    pool = state.pool(decision.pool, now)
    lives = pool.sessions.home(request.stickiness)
    ticket = state.tickets[request.request_id]
    sent = [one for one in dispatch(program, state, decision.pool, now) if one.request is request]
    if sent:
        there = pool.by_url[sent[0].replica]
        return Placed(there.url, _why(ticket, there, lives), 0)
    home = ticket.home
    if home is None:
        return Placed(None, None, _wait(ticket, pool, now))
    return Placed(home.url, _why(ticket, home, lives), _wait(ticket, pool, now))


def _why(ticket: Ticket, there: Replica, lives: tuple[Replica, Micros] | None) -> PlacedFor:
    placement = ticket.route.record.placement
    if not placement.scorers and placement.strategy in PLAIN:
        return "turn" if placement.strategy == "round_robin" else "load"
    if placement.sticky_for and lives is not None and lives[0] is there:
        return "session"
    depths = {one.replica: one.matched_blocks for one in considered(ticket.seen)}
    most = max(depths.values(), default=0)
    if most and depths.get(there) == most and min(depths.values()) < most:
        return "prefix"
    return "load"


def _wait(ticket: Ticket, pool: PoolState, now: Micros) -> Micros:
    most = ticket.expires - now
    ahead = [line[1] for line in ticket.decision.trace if line[0] is reasons.WAIT][-1:]
    conforms = [at - now for at, _, delayed in pool.delayed if delayed is ticket]
    known = [*ahead, *conforms]
    home, spec = ticket.home, pool.pool
    if home is not None:
        opens = ticket.home_estimate - ticket.home_prefill - GATE_US
        if opens <= 0 or not home.has_room(spec.sequences, spec.kv_tokens):
            return most
        known.append(opens)
    return min(most, max(known, default=most))
