"""Which route, and which of its pools? (R4)"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import accumulate

import xxhash

from coordination.program.index import Route, Scope, Segment
from coordination.program.records import RouteMatch
from coordination.scheduling.values import Request, Traits


def first_match(scope: Scope, request: Request) -> Route | None:
    """The first route by rank that serves a prompt of this length, and asks for nothing it lacks."""
    for route in scope.routes:
        if route.serves(request.prompt_tokens) and (
            not route.selective or suits(route.record.match, request.traits)
        ):
            return route
    return None


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


def arm(route: Route, at: int) -> str:
    """The pool on whose interval ``at`` lies. Arms keep their order, so growing one only extends it."""
    for position, end in enumerate(route.bounds):
        if at < end:
            return route.record.targets[position].pool
    return route.record.targets[-1].pool


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
