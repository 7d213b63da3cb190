"""ROUTE402: two routes of one rank match the same request, and nothing says which of them wins."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.regions import MOST_ROUTES, Region, apart
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Route

RULE = Rule("ROUTE402", "error", "Routes of equal rank overlap")
NEEDS_WHOLE = False
MOST_PER_ROUTE = 5


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    if len(catalogue.routes) > MOST_ROUTES:
        return
    space = catalogue.space
    ranked: dict[int, list[tuple[Entry[Route], Region]]] = {}
    for route, region in space.routes:
        earlier = ranked.setdefault(route.spec.rank, [])
        found = 0
        for other, theirs in earlier:
            if not region.meets(theirs) or apart(route.spec.match, other.spec.match):
                continue
            found += 1
            if found > MOST_PER_ROUTE:
                break
            yield report(
                RULE,
                route.document,
                "/spec/rank",
                f"routes `{other.name}` and `{route.name}`, both of rank {route.spec.rank}, "
                "match the same requests",
                related=(see(other.document, "/spec/rank", f"the rank of `{other.name}`"),),
                notes=(f"Both match {space.witness(region.meet(theirs))}.",),
            )
        earlier.append((route, region))
