"""CAP205: no route leads the tenant's requests of the tier to the pool of its reservation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.regions import Region
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP205", "warning", "Reservation out of reach")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    pools, tiers, tenants = catalogue.pools, catalogue.names("Tier"), catalogue.names("Tenant")
    models, space = catalogue.names("Model"), catalogue.space
    leading: dict[str, list[Region]] = {}
    for route, region in space.routes:
        for pool in {*(t.pool for t in route.spec.targets if t.weight), *route.spec.fallback}:
            leading.setdefault(pool, []).append(region)
    led: dict[tuple[str, str], int] = {}
    """Pool and tier -> whose requests are led there."""
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        pool_entry = pools.get(spec.pool)
        if pool_entry is None or pool_entry.spec.model not in models:
            continue
        if spec.tier not in tiers or spec.tenant not in tenants:
            continue
        lane = spec.pool, spec.tier
        if lane not in led:
            asked = space.requests_of(pool_entry.spec.model, spec.tier)
            led[lane] = tenants_led(asked.meet(region) for region in leading.get(spec.pool, ()))
        if space.subtree(spec.tenant) & led[lane]:
            continue
        yield report(
            RULE,
            reservation.document,
            "/spec/pool",
            f"no route leads requests of tenant `{spec.tenant}` in tier `{spec.tier}` to pool `{spec.pool}`",
            related=(see(pool_entry.document, "/metadata/name", "the pool"),),
            notes=("A reservation is used by requests that a route brings to its pool.",),
        )


def tenants_led(regions: Iterable[Region]) -> int:
    """The tenants of whom some request is in a region, as a mask."""
    mask = 0
    for region in regions:
        if not region.empty:
            mask |= region.tenants
    return mask
