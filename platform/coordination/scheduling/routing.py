"""Which route, and which of its pools? (R4)"""

from __future__ import annotations

import xxhash

from coordination.program.index import Route, Scope


def first_match(scope: Scope, prompt_tokens: int) -> Route | None:
    """The first route by rank that serves a prompt of this length."""
    for route in scope.routes:
        if route.serves(prompt_tokens):
            return route
    return None


def point(route_salt: str, route: str, stickiness: str) -> int:
    """u of R4 on [0, 2**64): secret, so nobody can choose an arm; sticky, so a run keeps its own."""
    return xxhash.xxh3_64_intdigest(f"{route_salt}\0{route}\0{stickiness}".encode())


def arm(route: Route, at: int) -> str:
    """The pool on whose interval ``at`` lies. Arms keep their order, so growing one only extends it."""
    for position, end in enumerate(route.bounds):
        if at < end:
            return route.record.targets[position].pool
    return route.record.targets[-1].pool
