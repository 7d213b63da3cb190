"""CAP205: no route leads the tenant's requests of the tier to the pool of its reservation."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.regions import Region
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP205", "warning", "Reservation out of reach")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    space = catalogue.space
    leading: dict[str, list[Region]] = {}
    for route, region in space.routes:
        for pool in {*(t.pool for t in route.spec.targets if t.weight), *route.spec.fallback}:
            leading.setdefault(pool, []).append(region)
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        pool_entry = catalogue.pools.get(spec.pool)
        if pool_entry is None or spec.tier not in catalogue.tiers or spec.tenant not in catalogue.tenants:
            continue
        wanted = space.requests_of(pool_entry.spec.model, spec.tier, spec.tenant)
        if wanted.empty or any(wanted.meets(region) for region in leading.get(spec.pool, ())):
            continue
        yield report(
            RULE,
            reservation.document,
            "/spec/pool",
            f"no route leads requests of tenant `{spec.tenant}` in tier `{spec.tier}` to pool `{spec.pool}`",
            related=(see(pool_entry.document, "/metadata/name", "the pool"),),
            notes=("A reservation is used by requests that a route brings to its pool.",),
        )
