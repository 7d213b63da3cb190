"""CAP205: no route leads the tenant's requests of the tier to the pool of its reservation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.dividing import division_of
from coordination.compiler.regions import Region
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Pool

RULE = Rule("CAP205", "warning", "Reservation out of reach")
NEEDS_WHOLE = True
MOST_SHOWN = 3
"""Pools that are named; a reservation of a model may be divided over hundreds."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    tiers, tenants = catalogue.names("Tier"), catalogue.names("Tenant")
    models, space = catalogue.names("Model"), catalogue.space
    leading: dict[str, list[Region]] = {}
    for route, region in space.routes:
        for pool in {*(t.pool for t in route.spec.targets if t.weight), *route.spec.fallback}:
            leading.setdefault(pool, []).append(region)
    led: dict[tuple[str, str], int] = {}
    """Pool and tier -> whose requests are led there."""
    division = catalogue.ask(division_of)
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        if spec.tier not in tiers or spec.tenant not in tenants:
            continue
        missed: list[Entry[Pool]] = []
        for serving in division.pools_of(spec):
            if serving.spec.model not in models:
                continue
            lane = serving.name, spec.tier
            if lane not in led:
                asked = space.requests_of(serving.spec.model, spec.tier)
                led[lane] = tenants_led(asked.meet(region) for region in leading.get(serving.name, ()))
            if not space.subtree(spec.tenant) & led[lane]:
                missed.append(serving)
        if missed:
            yield report(
                RULE,
                reservation.document,
                "/spec/model" if spec.pool is None else "/spec/pool",
                f"no route leads requests of tenant `{spec.tenant}` in tier `{spec.tier}` "
                f"to {_named(missed)}",
                related=tuple(see(p.document, "/metadata/name", "the pool") for p in missed[:MOST_SHOWN]),
                notes=("A reservation is used by requests that a route brings to its pool.",),
            )


def _named(pools: list[Entry[Pool]]) -> str:
    shown = ", ".join(f"`{pool.name}`" for pool in pools[:MOST_SHOWN])
    more = f" and {len(pools) - MOST_SHOWN} more" if len(pools) > MOST_SHOWN else ""
    return f"{'pool' if len(pools) == 1 else 'pools'} {shown}{more}"


def tenants_led(regions: Iterable[Region]) -> int:
    """The tenants of whom some request is in a region, as a mask."""
    mask = 0
    for region in regions:
        if not region.empty:
            mask |= region.tenants
    return mask
