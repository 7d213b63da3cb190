"""ROUTE403: requests a tenant is entitled to make, which no route serves (they end as no_route, 404)."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.regions import ENDLESS, MOST_ROUTES, Region, implied
from coordination.compiler.reporting import listed, report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds.route import Match

RULE = Rule("ROUTE403", "warning", "Requests no route serves")
NEEDS_WHOLE = True
MOST_SHOWN = 5


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """One warning for each (model, tier) with a gap, naming tenants and the first prompt length in it."""
    if len(catalogue.routes) > MOST_ROUTES:
        return
    space = catalogue.space
    by_model = space.by_model()
    alike: dict[tuple[str, ...], int] = {}
    """Tenants by their tiers: there are few such lists, and a mask of all tenants is long."""
    for name, tenant in catalogue.tenants.items():
        alike[tenant.spec.tiers] = alike.get(tenant.spec.tiers, 0) | space.tenants.bits[name]
    entitled = dict.fromkeys(catalogue.tiers, 0)
    for tiers, tenants in alike.items():
        for tier in tiers:
            if tier in entitled:
                entitled[tier] |= tenants
    for name, model in catalogue.models.items():
        bit = space.models.bits[name]
        regions = [box for route, box in by_model.get(bit, ()) if implied(route.spec.match, Match())]
        for tier, tenants in entitled.items():
            gap = first_gap(space.tiers.bits[tier], tenants, regions)
            if gap is None:
                continue
            length, unserved = gap
            names = space.tenants.members(unserved, MOST_SHOWN + 1)
            count = unserved.bit_count()
            shown = (
                listed(names)
                if count <= MOST_SHOWN
                else f"{listed(names[:MOST_SHOWN])} and {count - MOST_SHOWN:,} more"
            )
            prompts = f" with {length:,} prompt tokens" if length else ""
            yield report(
                RULE,
                model.document,
                "/metadata/name",
                f"no route serves model `{name}` in tier `{tier}` for {shown}{prompts}",
                related=(see(catalogue.tiers[tier].document, "/metadata/name", "the tier"),),
                notes=("Such a request is refused with no_route (404).",),
            )


def first_gap(tier: int, tenants: int, regions: list[Region]) -> tuple[int, int] | None:
    """The least prompt length at which some of the tenants are not served, and which they are."""
    mine = [region for region in regions if region.tiers & tier]
    unserved = tenants
    for region in mine:
        if region.low == 0 and region.high == ENDLESS:
            unserved &= ~region.tenants
    if not unserved:
        return None
    partial = [r for r in mine if r.tenants & unserved and not (r.low == 0 and r.high == ENDLESS)]
    for length in sorted({0, *(r.high for r in partial if r.high < ENDLESS)}):
        left = unserved
        for region in partial:
            if region.low <= length < region.high:
                left &= ~region.tenants
        if left:
            return length, left
    return None
