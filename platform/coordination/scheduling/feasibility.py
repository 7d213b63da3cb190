"""Can the request be served soon enough, and is there room to wait? (R11, R12, R18)"""

from __future__ import annotations

from coordination.program.index import Scope
from coordination.program.records import MILLION, Micros
from coordination.scheduling import reasons
from coordination.scheduling.decisions import Decision
from coordination.scheduling.fairness import Node
from coordination.scheduling.leaves import Leaf
from coordination.scheduling.plans import Place
from coordination.scheduling.pools import PoolState
from coordination.scheduling.refusals import SENTENCES, refuse
from coordination.scheduling.settlement import displace
from coordination.scheduling.state import State
from coordination.scheduling.values import Request
from coordination.scheduling.waiting import HELD_BYTES, Queue, last_of


def feasible(
    state: State, place: Place, scope: Scope, request: Request, decision: Decision, now: Micros, more: bool
) -> tuple[str, str | None]:
    """A4 (R11, R12): ``("go" | "spill" | "refuse", tier to fall to)``."""
    tier, pool = scope.tier, place.pool
    action = tier.overflow
    if not pool.healthy:
        decision.trace.append((reasons.UNHEALTHY_POOL, pool.pool.name))
        if more and action in ("spill", "queue"):
            return "spill", None
    if not pool.waiting:
        return "go", None
    leaf = place.leaf or place.open()
    queue = place.queue
    if leaf.cost_ahead:
        share, capacity = _share(leaf, pool, queue, now), pool.throughput.capacity
        wait = leaf.cost_ahead * MILLION * MILLION // (share * capacity)
        most, code = tier.max_wait, "capacity_exceeded"
        if request.deadline is not None and request.deadline - now < most:
            most, code = max(0, request.deadline - now), "deadline_unmeetable"
        decision.trace.append((reasons.WAIT, wait, most, leaf.cost_ahead, share, capacity))
        if wait > most and action != "queue" and pool.waking <= now:
            if action == "spill" and more:
                return "spill", None
            refuse(
                decision,
                "deadline_unmeetable" if code == "deadline_unmeetable" else "capacity_exceeded",
                None,
            )
            decision.retry_after_us = state.jitter(request.request_id, wait - most)
            return "refuse", tier.downgrade_to if action == "downgrade" else None
    if not _make_room(state, pool, queue, leaf, scope, decision, now):
        return "refuse", tier.downgrade_to if action == "downgrade" else None
    return "go", None


def _share(leaf: Leaf, pool: PoolState, queue: Queue, now: Micros) -> int:
    """rho of R11 in ppm: phi over the backlogged siblings' at each level, times what the bands above
    leave."""
    share = pool.throughput.share_left(queue.band, now)
    if pool.pool.minimum_shares:
        below = sum(one.minimum for one in pool.queues if one.band < queue.band and one.depth)
        share = max(share - below, queue.minimum, 1)
    node: Node = leaf
    while node.parent is not None:
        if node.parent.phi_backlogged:
            share = share * node.phi // node.parent.phi_backlogged
        node = node.parent
    return max(1, share)


def _make_room(
    state: State, pool: PoolState, queue: Queue, leaf: Leaf, scope: Scope, decision: Decision, now: Micros
) -> bool:
    """R18: while there is no place, or no memory, the last request of the heaviest leaf goes: of its own band
    for a place, of the lowest that waits for memory, never of the lane. False: the newcomer is that one."""
    size = decision.request.size
    while True:
        if queue.depth >= scope.tier.max_depth:
            among, why = queue, reasons.FULL
        elif size and pool.held_bytes + size > HELD_BYTES and (lowest := pool.lowest()) is not None:
            among, why = lowest, reasons.NO_MEMORY
        else:
            return True
        worst = among.heaviest()
        victim = None if worst is None or worst is leaf else last_of(worst)
        own = (leaf.backlog + 1) * MILLION * MILLION // scope.weights[-1]
        line = (why, decision.pool, among.band, among.depth, worst.name if worst else leaf.name)
        least = among.band < queue.band  # whatever its weight
        if (
            worst is None
            or victim is None
            or among.band > queue.band
            or not (least or own < worst.backlog * MILLION * MILLION // worst.phi)
        ):
            decision.trace.append(line)
            refuse(decision, "capacity_exceeded", None)
            decision.retry_after_us = state.jitter(decision.request.request_id, MILLION)
            return False
        victim.decision.trace.append(line)
        displace(state, victim, "capacity_exceeded", SENTENCES["capacity_exceeded"], now)
