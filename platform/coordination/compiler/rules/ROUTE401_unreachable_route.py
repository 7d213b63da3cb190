"""ROUTE401: every request a route matches is taken by routes of lesser rank; it can never win."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.regions import MOST_ROUTES, Region, before, implied, uncovered
from coordination.compiler.reporting import listed, report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Route
from coordination.spec.rules import SPEC003_too_much

RULE = Rule("ROUTE401", "error", "Unreachable route")
NEEDS_WHOLE = False
MOST_SHOWN = 8


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Exact: one route in the way, or several that cover it only together."""
    if len(catalogue.routes) > MOST_ROUTES:
        misread = SPEC003_too_much.routes(len(catalogue.routes), MOST_ROUTES)
        last = list(catalogue.routes.values())[MOST_ROUTES].document
        yield report(misread.rule, last, "/metadata/name", misread.message, notes=misread.notes)
        return
    space = catalogue.space
    by_model = space.by_model()
    for route, region in space.routes:
        if region.empty:
            continue
        # Only routes of one of its models can cover it: that many at least must be looked at.
        some_model = region.models & -region.models
        earlier = before(by_model[some_model], route.spec.rank)
        meeting = [(entry, other) for entry, other in earlier if region.meets(other)]
        rivals = [rival for rival in meeting if implied(rival[0].spec.match, route.spec.match)]
        shadowers = _shadowers(region, rivals)
        if not shadowers:
            continue
        names = [f"{s.name}" for s in shadowers]
        together = "together take" if len(names) > 1 else "takes"
        yield report(
            RULE,
            route.document,
            "/spec/match",
            f"route `{route.name}` can never win: {listed(names)} {together} everything it matches",
            on="key",
            related=tuple(
                see(s.document, "/spec/match", f"`{s.name}` has rank {s.spec.rank}, before {route.spec.rank}")
                for s in shadowers[:MOST_SHOWN]
            ),
            notes=(f"For instance {space.witness(region)}: `{_winner(region, rivals)}` wins.",),
        )


def _shadowers(region: Region, meeting: list[tuple[Entry[Route], Region]]) -> list[Entry[Route]]:
    """Those of the routes that meet a region that cover it, as few as show it; none if something is left.

    Mostly there is a tenant that none of them matches, which is quickly seen.
    """
    reached = 0
    for entry, other in meeting:
        if region.meet(other) == region:
            return [entry]
        reached |= other.tenants
    if region.tenants & ~reached or uncovered(region, (other for _, other in meeting)):
        return []
    needed: list[Entry[Route]] = []
    left = [region]
    for entry, other in meeting:
        rest = [piece for box in left for piece in box.minus(other)]
        if rest != left:
            needed.append(entry)
        left = rest
    return needed


def _winner(region: Region, rivals: list[tuple[Entry[Route], Region]]) -> str:
    """Which route takes the first request of a region."""
    models, tiers, tenants = (mask & -mask for mask in region[:3])
    first = Region(models, tiers, tenants, region.low, region.low + 1)
    return next(entry.name for entry, other in rivals if first.meets(other))
