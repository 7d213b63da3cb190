"""CAP202: a reservation in a tier its tenant may not ask for, so no request could ever use it."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import listed, report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP202", "error", "Reservation outside entitlement")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    tenants, tiers = catalogue.tenants, catalogue.names("Tier")
    for reservation in catalogue.reservations.values():
        tier = reservation.spec.tier
        tenant = tenants.get(reservation.spec.tenant)
        if tenant is None or tier not in tiers or tier in tenant.spec.tiers:
            continue
        yield report(
            RULE,
            reservation.document,
            "/spec/tier",
            f"tenant `{tenant.name}` is not entitled to tier `{tier}`, so it cannot use this reservation",
            related=(see(tenant.document, "/spec/tiers", f"entitled to {listed(list(tenant.spec.tiers))}"),),
        )
