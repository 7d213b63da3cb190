"""What is a sound policy compiled to, and how does a gateway hold it?

Questions, one for each kind: an edit has the records and objects of its own kind made again, and of what
depends on them.
"""

from __future__ import annotations

from coordination.compiler import lower
from coordination.compiler.catalogue import Catalogue
from coordination.program import tables
from coordination.program.index import Program, load
from coordination.program.named import Quota, Reservation, Tenant
from coordination.program.records import ProgramRecords
from coordination.program.resolved import Model, Pool, Route, Tier


def records_of(catalogue: Catalogue) -> ProgramRecords:
    """What a sound policy is compiled to."""
    return lower.lower(catalogue, environment=catalogue.environment or "")


def program_of(catalogue: Catalogue) -> Program:
    """A sound policy as a gateway holds it."""
    made = tables.Tables(
        models=catalogue.ask(models_of),
        pools=catalogue.ask(pools_of),
        tenants=catalogue.ask(tenants_of),
        tiers=catalogue.ask(tiers_of),
        reservations=catalogue.ask(reservations_of),
        quotas=catalogue.ask(quotas_of),
        routes=catalogue.ask(routes_of),
    )
    return load(catalogue.ask(records_of), made)


def models_of(catalogue: Catalogue) -> dict[str, Model]:
    return tables.models_of(catalogue.ask(lower.models))


def pools_of(catalogue: Catalogue) -> dict[str, Pool]:
    shares = tables.minimum_shares(catalogue.ask(lower.tiers), catalogue.ask(lower.routes))
    return tables.pools_of(catalogue.ask(lower.pools), catalogue.ask(models_of), shares)


def tenants_of(catalogue: Catalogue) -> dict[str, Tenant]:
    return tables.tenants_of(catalogue.ask(lower.tenants))


def tiers_of(catalogue: Catalogue) -> dict[str, Tier]:
    return tables.tiers_of(catalogue.ask(lower.tiers))


def reservations_of(catalogue: Catalogue) -> dict[str, Reservation]:
    records, tiers = catalogue.ask(lower.reservations), catalogue.ask(lower.tiers)
    return tables.reservations_of(records, catalogue.ask(pools_of), tiers)


def quotas_of(catalogue: Catalogue) -> dict[str, Quota]:
    zones = {name: entry.spec.zone for name, entry in catalogue.tenants.items()}
    return tables.quotas_of(catalogue.ask(lower.quotas), zones)


def routes_of(catalogue: Catalogue) -> dict[str, Route]:
    return tables.routes_of(catalogue.ask(lower.routes))
