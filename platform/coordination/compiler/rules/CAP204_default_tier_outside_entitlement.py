"""CAP204: a tenant's default tier is not among its tiers: its plain requests would all be refused."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import replace, report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP204", "error", "Default tier outside entitlement")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for tenant in catalogue.tenants.values():
        default = tenant.spec.default_tier
        if default is None or default in tenant.spec.tiers:
            continue
        first = tenant.spec.tiers[0]
        yield report(
            RULE,
            tenant.document,
            "/spec/default_tier",
            f"the default tier `{default}` of tenant `{tenant.name}` is not among its tiers",
            related=(see(tenant.document, "/spec/tiers", "its tiers"),),
            notes=("A request without `service_tier` would be refused with tier_not_entitled.",),
            fix=replace(f"write `{first}`", "/spec/default_tier", first),
        )
