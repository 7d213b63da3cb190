"""Whom does a change reach, and what is each tenant sure of before and after?

The guarantee of a tenant is what it may count on when everybody wants everything at once: capacity promised
to it at the tightest instant of the horizon, and the share of what is contended that its weights give it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.dividing import division_of
from coordination.program.index import Program
from coordination.program.records import MILLION, Micros, Ppm, ProgramRecords
from coordination.spec import Document
from coordination.spec.kinds.tenant import ancestors

Key = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a tenant is sure of."""

    reserved_input: int
    """Tokens a minute promised at the tightest instant of the horizon."""
    reserved_output: int
    share_ppm: Ppm
    """Of what is contended in its default tier, when everybody entitled to it is backlogged."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a change touches, by name."""

    tenants: tuple[str, ...]
    reservations: tuple[str, ...]
    routes: tuple[str, ...]


def reach(catalogues: Iterable[Catalogue], changed: Iterable[Key]) -> Reach:
    """Objects that are changed or depend on what is, before or after."""
    tenants: set[str] = set()
    reservations: set[str] = set()
    routes: set[str] = set()
    keys = set(changed)
    for catalogue in catalogues:
        found = _closure(catalogue, keys)
        routes |= {name for kind, name in found if kind == "Route"}
        reservations |= {name for kind, name in found if kind == "Reservation"}
        tenants |= _tenants(catalogue, keys, found)
    return Reach(tuple(sorted(tenants)), tuple(sorted(reservations)), tuple(sorted(routes)))


def _closure(catalogue: Catalogue, changed: set[Key]) -> set[Key]:
    """The changed objects, the pools of a changed model, and the routes and reservations that name any."""
    by_mention: dict[Key, list[Document]] = defaultdict(list)
    for document, mention in catalogue.mentions:
        by_mention[mention.kind, mention.name].append(document)
    found = set(changed)
    division = catalogue.ask(division_of)
    for reservation in catalogue.reservations.values():  # divided over pools that it does not name
        if reservation.spec.pool is None and any(
            ("Pool", pool.name) in changed for pool in division.pools_of(reservation.spec)
        ):
            found.add(("Reservation", reservation.name))
    pools = {("Pool", d.name) for key in changed if key[0] == "Model" for d in by_mention[key]}
    for key in changed | {key for key in pools if key[0] == "Pool"}:
        for document in by_mention[key]:
            if document.kind in ("Route", "Reservation") and key[0] in ("Pool", "Model", "Tier"):
                found.add((document.kind, document.name))
    return found


def _tenants(catalogue: Catalogue, changed: set[Key], found: set[Key]) -> set[str]:
    touched: set[str] = set()
    for kind, name in found:
        entry = catalogue.of_kind(kind).get(name)
        if entry is None:
            continue
        document = entry.document
        if kind == "Tenant":
            touched |= _with_descendants(catalogue, name)
        elif kind in ("Quota", "Reservation") and (kind, name) in changed:
            touched |= _with_descendants(catalogue, document.spec.tenant)
        elif kind == "Tier":
            touched |= {t.name for t in catalogue.tenants.values() if name in t.spec.tiers}
        elif kind == "Route":
            touched |= _matched(catalogue, document)
        elif kind == "PriceBook":
            touched |= set(catalogue.tenants)
    return touched


def _with_descendants(catalogue: Catalogue, tenant: str) -> set[str]:
    return {name for name in catalogue.tenants if name == tenant or tenant in ancestors(name)}


def _matched(catalogue: Catalogue, route: Document) -> set[str]:
    """Tenants some request of whom the route matches."""
    match = route.spec.match
    return {
        entry.name
        for entry in catalogue.tenants.values()
        if (not match.tenants or {entry.name, *ancestors(entry.name)} & set(match.tenants))
        and (not match.tiers or set(match.tiers) & set(entry.spec.tiers))
    }


def guarantees(program: Program, records: ProgramRecords, horizon: Micros) -> Mapping[str, Guarantee]:
    """Each tenant's, over ``[records.at, horizon)``."""
    shares = _shares(program, records)
    reserved = _reserved(records, horizon)
    return {
        tenant.name: Guarantee(*reserved.get(tenant.name, (0, 0)), shares[tenant.name])
        for tenant in records.tenants
    }


def _reserved(records: ProgramRecords, horizon: Micros) -> dict[str, tuple[int, int]]:
    """Tenant -> tokens a minute in and out that are promised at every instant."""
    of: dict[str, list[tuple[Micros, int, int]]] = defaultdict(list)
    for reservation in records.reservations:
        inputs = sum(portion.input_tokens_per_minute for portion in reservation.portions)
        outputs = sum(portion.output_tokens_per_minute for portion in reservation.portions)
        for start, end in reservation.intervals:
            of[reservation.tenant].append((max(start, records.at), inputs, outputs))
            if end is not None and end < horizon:
                of[reservation.tenant].append((max(end, records.at), -inputs, -outputs))
    return {tenant: _tightest(edges, records.at, horizon) for tenant, edges in of.items()}


def _tightest(edges: list[tuple[Micros, int, int]], at: Micros, horizon: Micros) -> tuple[int, int]:
    """The least of two running sums over the time from ``at`` to ``horizon``, each by itself."""
    by_instant: dict[Micros, tuple[int, int]] = {at: (0, 0)}
    for instant, inputs, outputs in edges:
        held = by_instant.get(instant, (0, 0))
        by_instant[instant] = (held[0] + inputs, held[1] + outputs)
    level = [0, 0]
    least: list[int] | None = None
    for instant in sorted(by_instant):
        if instant >= horizon:
            break
        level = [level[0] + by_instant[instant][0], level[1] + by_instant[instant][1]]
        least = level[:] if least is None else [min(a, b) for a, b in zip(least, level, strict=True)]
    return (least[0], least[1]) if least else (0, 0)


def _shares(program: Program, records: ProgramRecords) -> dict[str, Ppm]:
    """phi over the siblings' sum, multiplied down the path, for the first model and each default tier."""
    if not records.models:
        return {tenant.name: 0 for tenant in records.tenants}
    model = records.models[0].name
    found: dict[str, Ppm] = {}
    for tier in {tenant.default_tier for tenant in records.tenants}:
        entitled = [tenant for tenant in records.tenants if tier in tenant.tiers]
        scopes = {tenant.name: program.scope(tenant.name, tier, model) for tenant in entitled}
        children: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
        for scope in scopes.values():
            for depth, (name, weight) in enumerate(zip(scope.leaf_path, scope.weights, strict=True)):
                children[scope.leaf_path[:depth]][name] = weight
        for tenant in entitled:
            if tenant.default_tier != tier:
                continue
            share, path = MILLION, scopes[tenant.name].leaf_path
            for depth, name in enumerate(path):
                siblings = children[path[:depth]]
                share = share * siblings[name] // max(1, sum(siblings.values()))
            found[tenant.name] = share
    return found
