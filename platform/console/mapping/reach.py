"""Whom does an object touch? Followed through every reference, from the object to the tenants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coordination.spec import Document
from coordination.spec.kinds.tenant import ancestors

Key = tuple[str, str]
STOPS = frozenset({"Tenant"})
"""Kinds beyond which a change does not travel: who names a tenant is not touched by its neighbours."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Who would notice a change of one object."""

    tenants: tuple[str, ...]
    routes: tuple[str, ...]
    pools: tuple[str, ...]
    reservations: tuple[str, ...]
    everybody: bool
    """Whether every tenant is among them."""

    @property
    def counts(self) -> list[tuple[str, tuple[str, ...]]]:
        named = (("tenant", self.tenants), ("route", self.routes), ("pool", self.pools))
        return [(kind, names) for kind, names in (*named, ("reservation", self.reservations)) if names]


def reach(documents: Mapping[Key, Document], kind: str, name: str) -> Reach:
    """Everything that stands on an object, and the tenants those things are for."""
    users = _users(documents.values())
    touched: set[Key] = set()
    ahead = [(kind, name)]
    while ahead:
        key = ahead.pop()
        if key in touched:
            continue
        touched.add(key)
        if key[0] not in STOPS:
            ahead += users.get(key, ())
    tenants = {key[1] for key in documents if key[0] == "Tenant"}
    meant = {name for key in touched if key in documents for name in _tenants(documents[key], tenants)}
    return Reach(
        tenants=tuple(sorted(meant)),
        routes=_of(touched, "Route"),
        pools=_of(touched, "Pool"),
        reservations=_of(touched, "Reservation"),
        everybody=bool(tenants) and meant == tenants,
    )


def _users(documents: Iterable[Document]) -> dict[Key, list[Key]]:
    found: dict[Key, list[Key]] = {}
    for document in documents:
        for mention in document.mentions():
            found.setdefault((mention.kind, mention.name), []).append((document.kind, document.name))
    return found


def _tenants(document: Document, everybody: set[str]) -> set[str]:
    """The tenants one object is for; a tenant stands for its descendants too."""
    spec = document.spec
    if document.kind == "Tenant":
        named = {document.name}
    elif document.kind == "Route":
        named = set(spec.match.tenants)
        if not named:
            return everybody
    elif hasattr(spec, "tenant"):
        named = {spec.tenant}
    else:
        return set()
    return {tenant for tenant in everybody if tenant in named or named & set(ancestors(tenant))}


def _of(touched: set[Key], kind: str) -> tuple[str, ...]:
    return tuple(sorted(name for each, name in touched if each == kind))
