"""What does the policy say of a tenant? Its own documents and its teams', and the tiers it may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from coordination.spec import Document
from coordination.spec.quantities import MILLION
from policies.mapping.delegation import stated_in
from policies.mapping.documents import parse
from policies.models import Head
from policies.selectors import heads

OWN = ("Tenant", "Quota", "Reservation")


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything of one tenant and of those below it, in one environment."""

    tenant: Document
    below: dict[str, Document] = field(default_factory=dict)
    """Tenants below it, by path."""
    quotas: tuple[Document, ...] = ()
    reservations: tuple[Document, ...] = ()
    tiers: tuple[Document, ...] = ()
    """That it may use, the highest band first."""

    @property
    def name(self) -> str:
        return self.tenant.name

    @property
    def display_name(self) -> str:
        return str(self.tenant.spec.display_name or self.tenant.name)

    @property
    def tenants(self) -> list[str]:
        """Its own path and those below it."""
        return [self.tenant.name, *sorted(self.below)]

    def teams(self, parent: str) -> list[str]:
        """The tenants one step below ``parent``."""
        return [name for name in sorted(self.below) if name.rpartition("/")[0] == parent]

    def quotas_of(self, tenant: str) -> list[Document]:
        return [quota for quota in self.quotas if quota.spec.tenant == tenant]

    def rights_over(self, team: str) -> frozenset[str]:
        """What the tenant's administrators may change of a team below it: what is delegated to them, or to
        those of a tenant between, who they are too."""
        above = [name for name in self.tenants if team.startswith(f"{name}/")]
        return stated_in(each for each in self.quotas if each.spec.tenant in above).delegates

    @property
    def keyed(self) -> list[str]:
        """Those whose keys the tenant's administrators may make: itself, and teams as far as delegated."""
        return [name for name in self.tenants if name == self.name or "keys" in self.rights_over(name)]

    def written_weight(self, tenant: str) -> int:
        """The weight its quota for all requests gives it (ppm); one where none does."""
        for quota in self.quotas_of(tenant):
            if not quota.spec.scope.tiers and not quota.spec.scope.models:
                return int(quota.spec.weight)
        return MILLION


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the policy brings: where the reader's tenants are, and the contract asked for."""

    places: tuple[tuple[str, str], ...]
    """(environment, tenant) of each of the reader's tenants that a policy has."""
    contract: Contract | None


def look(mine: Iterable[str], environment: str = "", tenant: str = "") -> Found:
    """``mine``: tenants the reader belongs to. ``tenant``: whose contract is wanted, if any."""
    wanted = Q(kind="Tenant", name__in=list(mine))
    if tenant:
        own = Q(kind__in=OWN) & (Q(tenant=tenant) | Q(tenant__startswith=f"{tenant}/"))
        wanted |= Q(environment=environment) & (own | Q(kind="Tier"))
    rows = list(
        Head.objects.filter(wanted)
        .order_by("environment", "kind", "name")
        .values_list("environment", "kind", "name", "document_id")
    )
    known = set(mine)
    places = tuple((env, name) for env, kind, name, _ in rows if kind == "Tenant" and name in known)
    if not tenant:
        return Found(places, None)
    here = [row for row in rows if row[0] == environment]
    values, _ = parse(digest for *_, digest in here)
    documents = {(kind, name): values[digest] for _, kind, name, digest in here if digest in values}
    return Found(places, _contract(tenant, documents))


def models_for(environment: str, tenant: str) -> list[str]:
    """Names a client of ``tenant`` may send as ``model``: those some route of its own serves."""
    rows = list(
        heads(environment).filter(kind__in=("Model", "Route")).values_list("kind", "name", "document_id")
    )
    values, _ = parse(digest for *_, digest in rows)
    above = {tenant[:i] for i, sign in enumerate(tenant) if sign == "/"} | {tenant}
    served: set[str] = set()
    models: dict[str, str] = {}
    everything = False
    for kind, name, digest in rows:
        spec: Any = values[digest].spec if digest in values else None
        if spec is None:
            continue
        if kind == "Model":
            models[name] = spec.served_name or name
        elif not spec.match.tenants or above & set(spec.match.tenants):
            served |= set(spec.match.models)
            everything = everything or not spec.match.models
    return sorted(models[name] for name in models if everything or name in served)


def _contract(tenant: str, documents: dict[tuple[str, str], Document]) -> Contract | None:
    own = documents.get(("Tenant", tenant))
    if own is None:
        return None

    def of(kind: str) -> list[Document]:
        return [document for (each, _), document in documents.items() if each == kind]

    entitled = {name for found in of("Tenant") if found.name == tenant for name in found.spec.tiers}
    return Contract(
        tenant=own,
        below={found.name: found for found in of("Tenant") if found.name.startswith(f"{tenant}/")},
        quotas=tuple(of("Quota")),
        reservations=tuple(of("Reservation")),
        tiers=tuple(
            sorted((found for found in of("Tier") if found.name in entitled), key=lambda t: -t.spec.band)
        ),
    )
