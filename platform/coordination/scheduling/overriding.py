"""What does an override do to decisions? It stands before the timeline and the bundle (R12).

Drained pools are left out of every route's reach, and what waits for one is let in anew; a raised limit has
another ceiling and keeps its level (R3). Nothing of this is looked at while no override is in force.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordination.program.index import Program
from coordination.program.records import LimitOf, LimitPer, Micros, Ppm
from coordination.scheduling import reasons
from coordination.scheduling.admission import admit
from coordination.scheduling.decisions import WAITING, Decision
from coordination.scheduling.limits import quota_key, quota_meter, resized
from coordination.scheduling.settlement import take_back
from coordination.scheduling.state import State


def drain(program: Program, state: State, pools: Mapping[str, str], now: Micros) -> None:  # noqa: ARG001
    """From now on exactly these pools take nothing new: name -> why, as explanations and refusals say it.
    What is in flight there ends as it will; for what waits see ``move_on``."""
    state.draining = dict(pools)
    for name, held in state.pools.items():
        if held.draining is not (name in pools):
            held.draining = name in pools
            held.refresh_health(now)


def move_on(program: Program, state: State, now: Micros) -> list[tuple[Decision, Decision]]:
    """Let what waits for a drained pool in anew: (what was decided, what is decided now), of each. Unless it
    is refused now, it waits elsewhere: call ``dispatch``."""
    moved: list[tuple[Decision, Decision]] = []
    if not state.draining:
        return moved
    for ticket in list(state.tickets.values()):
        pool = ticket.pool.pool.name
        if pool not in state.draining or ticket.status != WAITING:
            continue
        before, request = ticket.decision, ticket.request
        if request.tenant not in program.tenants or request.model not in program.models:
            continue  # it expires now, because the policy that knew it is gone
        before.trace.append((reasons.MOVED_ON, pool, state.draining[pool], now - ticket.enqueued))
        take_back(state, ticket, now)
        after = admit(program, state, request, now)
        after.trace[:0] = before.trace
        moved.append((before, after))
    return moved


def raise_limits(
    program: Program,
    state: State,
    raised: Mapping[tuple[str, LimitOf, LimitPer], tuple[Ppm, str]],
    now: Micros,
) -> None:
    """From now on exactly these limits are raised: (quota, dimension, period) -> (factor, why). Limits that
    the policy lacks are left out: they are raised once it has them, and this is called again."""
    before, segment = state.raised, state.at(now)
    state.raised = {quota_key(*limit): one for limit, one in raised.items()}
    for key in before.keys() | state.raised.keys():
        if before.get(key) == state.raised.get(key) and key in state.meters:
            continue
        quota = program.quotas.get(key[1])
        limits = segment.limits_of(quota) if quota is not None else ()
        for limit in limits:
            if quota is None or quota_key(quota.name, limit.of, limit.per) != key:
                continue
            ceiling = state.raised_to(key, limit.ceiling)
            meter = state.meters.get(key)
            if meter is None:
                state.meters[key] = quota_meter(key, limit.per, ceiling, quota.zone, now)
            else:
                resized(meter, ceiling, quota.zone, now)
    if before.keys() | state.raised.keys():
        state.mark = object()
