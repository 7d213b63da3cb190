"""Which route, and which of its pools? (R4)"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import accumulate

import xxhash

from coordination.program.index import Route, Scope, Segment
from coordination.program.records import RouteMatch
from coordination.scheduling import reasons
from coordination.scheduling.state import State
from coordination.scheduling.traits import Traits
from coordination.scheduling.values import Request


def first_match(scope: Scope, request: Request) -> Route | None:
    """The first route by rank that serves a prompt of this length, and asks for nothing it lacks."""
    tokens = request.prompt_tokens
    for route in scope.routes:
        if route.least <= tokens < route.most and (
            not route.selective or suits(route.record.match, request.traits)
        ):
            return route
    return None


def reach(
    state: State, scope: Scope, route: Route, request: Request, trace: list[reasons.TraceLine]
) -> Sequence[str]:
    """The arm's pool and, after it, the route's fallbacks (R4, R12). ``scale`` goes only where the
    tenant's reservation is."""
    if request.scale:
        return _reserved(state, scope, route, request, trace)
    reaches = route.reaches
    if len(reaches) == 1:
        at, found = 0, reaches[0]
    else:
        at = point(state.route_salt, route.name, request.stickiness)
        found = arm(route, at)
    trace.append((reasons.ROUTE, route.name, found[0], at, route.bounds))
    if state.draining or (route.trials and route.name in state.trials):
        return _what_is_left(state, route, at, found, trace)
    return found


def _reserved(
    state: State, scope: Scope, route: Route, request: Request, trace: list[reasons.TraceLine]
) -> list[str]:
    """Of all that a route reaches, the one pool of those with a reservation for the request."""
    segment, record = state.segment, route.record
    targets = (*(target.pool for target in record.targets), *record.fallback)
    found = [pool for pool in targets if segment.lanes_for(pool, scope)]
    if state.draining:
        found = _open_to_new(state, found, trace)
    if len(found) > 1:
        at = point(state.route_salt, route.name, request.stickiness)
        found = [lane_at(segment, scope, found, at)]
    if found:
        trace.append((reasons.LANE_POOL, route.name, found[0]))
    return found


def _what_is_left(
    state: State, route: Route, at: int, reached: Sequence[str], trace: list[reasons.TraceLine]
) -> list[str]:
    """Of a reach, without canaries that were given up and pools that an override drains."""
    record, pool, found = route.record, reached[0], list(reached)
    gone: Collection[str] = ()
    if route.trials and (trials := state.trials.get(route.name)) is not None and (gone := trials.gone):
        instead = arm_instead(route, at, gone)
        verdict = trials.trials[pool].given_up if pool != instead else None
        if verdict is not None:
            reason = reasons.GIVEN_UP_ERRORS if verdict.why == "errors" else reasons.GIVEN_UP_TIME
            trace.append((reason, pool, verdict.figure, verdict.others, instead))
        found = [instead, *(name for name in record.fallback if name != instead and name not in gone)]
    if not state.draining:
        return found
    known = {*found, *gone}
    others = [arm.pool for arm in record.targets if arm.weight and arm.pool not in known]
    return _open_to_new(state, [*found, *others] if found[0] in state.draining else found, trace)


def _open_to_new(state: State, pools: list[str], trace: list[reasons.TraceLine]) -> list[str]:
    """Of these pools, those that no override drains (R12): of the arm's it is known why it is passed over."""
    for name in pools:
        if name in state.draining:
            trace.append((reasons.DRAINED, name, state.draining[name]))
    return [name for name in pools if name not in state.draining]


def suits(match: RouteMatch, traits: Traits) -> bool:
    """Whether a request has the region, the session and the headers a route asks for."""
    return (
        (not match.regions or traits.region in match.regions)
        and match.session in (None, traits.session)
        and match.headers.items() <= traits.headers.items()
    )


def point(route_salt: str, route: str, stickiness: str) -> int:
    """u of R4 on [0, 2**64): secret, so nobody can choose an arm; sticky, so a run keeps its own."""
    return xxhash.xxh3_64_intdigest(f"{route_salt}\0{route}\0{stickiness}".encode())


def arm(route: Route, at: int) -> tuple[str, ...]:
    """The pool on whose interval ``at`` lies, and its fallbacks. Arms keep their order, so growing one only
    extends it."""
    for position, end in enumerate(route.bounds):
        if at < end:
            return route.reaches[position]
    return route.reaches[-1]


def arm_instead(route: Route, at: int, gone: Collection[str]) -> str:
    """As ``arm``, without pools that were given up: what fell to one of them is divided among the others by
    their weights, and nobody else moves. The arm itself where none is left."""
    position = next((n for n, end in enumerate(route.bounds) if at < end), len(route.bounds) - 1)
    targets = route.record.targets
    left = [target for target in targets if target.weight and target.pool not in gone]
    if targets[position].pool not in gone or not left:
        return targets[position].pool
    start = route.bounds[position - 1] if position else 0
    ends = list(accumulate(target.weight for target in left))
    point = (at - start) * ends[-1] // (route.bounds[position] - start)
    return next(target.pool for target, end in zip(left, ends, strict=True) if point < end)


def lane_at(segment: Segment, scope: Scope, pools: Sequence[str], at: int) -> str:
    """The pool that ``at`` falls to when traffic is divided as what is reserved there (R8)."""
    reserved = [
        sum(held.input_per_minute + held.output_per_minute for held in segment.lanes_for(pool, scope))
        for pool in pools
    ]
    ends = list(accumulate(reserved))
    point = at * ends[-1] >> 64
    return next((pool for pool, end in zip(pools, ends, strict=True) if point < end), pools[0])
