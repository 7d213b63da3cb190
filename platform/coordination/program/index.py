"""How does a gateway find, in constant time, what the policy says of a request?

``load`` turns records (names) into a ``Program``: objects that point at each other and carry the
integers the hot path needs. What applies to one (tenant, tier, model) is resolved once, on first
use, into a ``Scope``; what is in force at one instant into a ``Segment`` of the timeline (R1).
Both are memoised, so ten thousand idle tenants cost nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from coordination.program.guarantees import LimitKey, Pledge, pledges
from coordination.program.named import Quota, Reservation, Tenant
from coordination.program.records import (
    MILLION,
    LimitRecord,
    Micros,
    Ppm,
    PriceBookRecord,
    PriceEntry,
    ProgramRecords,
)
from coordination.program.resolved import (
    Model,
    Pool,
    Price,
    Reserve,
    Route,
    Scope,
    Segment,
    Tariff,
    Tier,
)
from coordination.program.tables import MINUTE, Tables, tables_of
from coordination.program.teams import (
    NOTHING_SET,
    Amounts,
    Judge,
    Overlay,
    TeamLimits,
    Teams,
    changed,
)
from coordination.program.timeline import boundaries, changing, limits_at

__all__ = [
    "MINUTE",
    "Model",
    "Pool",
    "Price",
    "Program",
    "Quota",
    "Reservation",
    "Reserve",
    "Route",
    "Scope",
    "Segment",
    "Tariff",
    "Tenant",
    "Tier",
    "load",
]


class Program:
    """A compiled policy in memory. Read only, but for its memos and the directory's shares."""

    __slots__ = (
        "_boundaries",
        "_changing",
        "_guaranteeing",
        "_judge",
        "_pledges",
        "_quotas_of",
        "_reservations_of",
        "_reserved_for",
        "_routes_of",
        "_scopes",
        "_segments",
        "adapters",
        "basis",
        "counts_runs",
        "match_headers",
        "models",
        "models_by_client_name",
        "overlay",
        "pools",
        "quotas",
        "records",
        "reservations",
        "routes",
        "selective",
        "teams",
        "tenants",
        "tiers",
        "tiers_by_service_tier",
    )

    def __init__(self, records: ProgramRecords, tables: Tables | None = None) -> None:
        self.records = records
        tables = tables_of(records) if tables is None else tables
        self.models = tables.models
        self.models_by_client_name: dict[str, Model] = {}
        for record in records.models:
            for name in (record.served_name, *record.aliases):
                self.models_by_client_name.setdefault(name, self.models[record.name])
        for record in records.models:
            for name in record.adapters:
                self.models_by_client_name.setdefault(name, self.models[record.name])
        self.adapters = frozenset(name for record in records.models for name in record.adapters)
        """Names by which clients and engines call adapters."""
        self.pools = tables.pools
        self.tiers = tables.tiers
        self.tiers_by_service_tier = _answering(self.tiers.values())
        self.tenants = tables.tenants
        self.quotas = dict(tables.quotas)
        """Those that are made for teams come and go among them."""
        self._pledges = pledges(records.quotas)
        self._guaranteeing = {
            _outermost(quota.tenant) for quota in records.quotas for one in quota.limits if one.guaranteed
        }
        """Outermost tenants in whose trees anybody is guaranteed anything."""
        self._changing = changing(records.quotas)
        self._quotas_of: dict[str, list[Quota]] = {}
        for quota in self.quotas.values():
            self._quotas_of.setdefault(quota.tenant, []).append(quota)
        self.reservations = tables.reservations
        """By key."""
        self._reserved_for: dict[str, list[Reservation]] = {}
        of_pools: defaultdict[str, list[Reservation]] = defaultdict(list)
        for held in self.reservations.values():
            self._reserved_for.setdefault(held.tenant, []).append(held)
            of_pools[held.pool].append(held)
        self._reservations_of = {pool: tuple(held) for pool, held in of_pools.items()}
        self.routes = tables.routes
        self.selective = any(route.selective for route in self.routes.values())
        """Some route asks for more than a scope and a length."""
        self.counts_runs = any(quota.session or quota.run for quota in self.quotas.values()) or any(
            tier.order == "las" for tier in self.tiers.values()
        )
        """Requests must say which run and session they belong to."""
        self.match_headers = frozenset(
            name for route in self.routes.values() for name in route.record.match.headers
        )
        """Headers that some route looks at."""
        self._boundaries = boundaries(records)
        self._routes_of = _by_model(self.routes.values(), self.models)
        """Those that match a model, by rank: all that a tenant's scope needs to look at."""
        self._scopes: dict[tuple[str, str, str], Scope] = {}
        self._segments: dict[int, Segment] = {}
        self.teams: Teams = NOTHING_SET
        """What administrators of tenants set for their teams, as far as this policy lets it stand."""
        self.overlay = Overlay()
        tenants, quotas_of = self.tenants, self._quotas_of  # not itself: it must be gone once it is let go
        self._judge = Judge(
            lambda name: None if (held := tenants.get(name)) is None else held.path,
            lambda name: quotas_of.get(name, ()),
        )
        self.basis = object()
        """Another one as soon as a scope is no longer what it was: a mark for what is kept of scopes."""

    def follow(
        self, weights: Mapping[str, Ppm], limits: TeamLimits | None = None, before: Teams | None = None
    ) -> bool:
        """Let what was set for teams stand over what the quotas say; True if that alters any.

        It comes with the directory, not with the policy, so it changes under a program that stays, and what
        has not changed is not looked at again. ``before``: what stood under the program before.
        """
        held, limits = self.teams, limits or {}
        of = changed(held, weights, limits)
        found = self.teams = self._judge.settle(of, weights, limits, held, before or held)
        moved = [name for name in of if found.limits.get(name) != held.limits.get(name)]
        for name in moved:
            self._set_limits(self.tenants[name], found.limits.get(name, {}))
        if moved:
            self._segments = {at: self._under_teams(one) for at, one in self._segments.items()}
        elif all(found.weights.get(name) == held.weights.get(name) for name in of):
            return False
        self._scopes.clear()
        self.basis = object()
        return True

    def _set_limits(self, team: Tenant, amounts: Amounts) -> None:
        own = [quota for quota in self._quotas_of.get(team.name, ()) if not quota.made]
        made = self.overlay.lay(team, amounts, own, self._judge.giver(team.name))
        self.quotas.pop(team.name, None)  # made before: documents have no such names
        if made is not None:
            self.quotas[team.name] = made
            own.append(made)
        self._quotas_of[team.name] = own

    def parts(self) -> list[dict[str, Any] | tuple[Any, ...]]:
        """What in it is large, so that whoever gives it up can let go of that bit by bit: freeing a
        program of ten thousand tenants at once takes 20 ms."""
        records = self.records
        named: list[dict[Any, Any]] = [self.quotas, self.tenants, self._pledges, self.reservations]
        named += [self._reserved_for, self._reservations_of]
        found = [*named, self._quotas_of, self._scopes, self.overlay.laid]
        return [*found, records.quotas, records.tenants, records.reservations, records.routes]

    def quotas_within(self, tenant: str) -> list[Quota]:
        """Of ``tenant`` and of all below it."""
        return [quota for quota in self.quotas.values() if f"{quota.tenant}/".startswith(f"{tenant}/")]

    def reservations_within(self, tenant: str) -> list[Reservation]:
        """Of ``tenant`` and of all below it."""
        return [held for held in self.reservations.values() if f"{held.tenant}/".startswith(f"{tenant}/")]

    def reserved_tier(self, tenant: Tenant, model: str) -> Tier | None:
        """The tier of the reservation a tenant may use for a model: its default tier's if there is one."""
        held = [one for node in tenant.path for one in self._reserved_for.get(node, ())]
        held = [one for one in held if self.pools[one.pool].model.name == model]
        if not held:
            return None
        if any(one.tier == tenant.default_tier for one in held):
            return self.tiers[tenant.default_tier]
        return self.tiers[min(held, key=lambda one: one.index).tier]

    def scope(self, tenant: str, tier: str, model: str) -> Scope:
        """What applies to the three together. Raises KeyError for a name the policy lacks."""
        key = (tenant, tier, model)
        found = self._scopes.get(key)
        if found is None:
            found = self._scopes[key] = self._resolve(
                self.tenants[tenant], self.tiers[tier], self.models[model]
            )
        return found

    def segment_at(self, now: Micros) -> Segment:
        """The piece of the timeline that holds ``now`` (R1), by bisection."""
        position = bisect_right(self._boundaries, now)
        found = self._segments.get(position)
        if found is None:
            if len(self._segments) > 8:  # a gateway needs this one and the next
                self._segments.clear()
            found = self._segments[position] = self._in_force(position)
        return found

    def _resolve(self, tenant: Tenant, tier: Tier, model: Model) -> Scope:
        quotas: list[Quota] = []
        weights: list[Ppm] = []
        for node in tenant.path:
            own = [q for q in self._quotas_of.get(node, ()) if q.covers(tier.name, model.name)]
            quotas += own
            written = max(own, key=lambda q: q.narrowness).weight_ppm if own else MILLION
            weights.append(self.teams.weights.get(node, written))
        leaf_path = tenant.path
        if tenant.inner:
            leaf_path = (*leaf_path, tenant.name + "/")
            weights.append(MILLION)
        ancestors = set(tenant.path)
        routes = tuple(
            route
            for route in self._routes_of.get(model.name, ())
            if _admits(route.record.match.tiers, tier.name)
            and (not route.record.match.tenants or not ancestors.isdisjoint(route.record.match.tenants))
        )
        return Scope(tenant, tier, model, tuple(quotas), leaf_path, tuple(weights), routes)

    def _in_force(self, position: int) -> Segment:
        start = self._boundaries[position - 1] if position else 0
        end = self._boundaries[position] if position < len(self._boundaries) else None
        limits = self._limits(start)
        return Segment(
            start,
            end,
            self._reservations_of,
            _prices(self.records.price_books, start),
            limits,
            self._pledges_under(limits),
        )

    def _under_teams(self, segment: Segment) -> Segment:
        limits = self._limits(segment.start)
        return segment.under(limits, self._pledges_under(limits))

    def _limits(self, now: Micros) -> dict[str, tuple[LimitRecord, ...]]:
        """Of quotas whose limits are not, or not always, what they say."""
        laid = self.overlay.laid
        changing = ((quota.name, laid.get(quota.name, quota.limits)) for quota in self._changing)
        return laid | limits_at(changing, now)

    def _pledges_under(self, limits: Mapping[str, tuple[LimitRecord, ...]]) -> Mapping[LimitKey, Pledge]:
        """With other limits than the quotas say. No tree reaches beyond its outermost tenant: where nobody
        is guaranteed anything, or no limit is another, all is as it was."""
        outermost = {_outermost(self.quotas[name].tenant) for name in limits} & self._guaranteeing
        if not outermost:
            return self._pledges
        others = {key: one for key, one in self._pledges.items() if _outermost(one.tenant) not in outermost}
        return others | pledges(
            [
                structs.replace(quota, limits=limits.get(quota.name, quota.limits))
                for quota in self.quotas.values()
                if _outermost(quota.tenant) in outermost
            ]
        )


def load(records: ProgramRecords, tables: Tables | None = None) -> Program:
    """Index a compiled policy. Trusts the compiler: a dangling name raises KeyError.

    ``tables``: the objects that stand for the records, where somebody has them; else they are made.
    """
    return Program(records, tables)


def _answering(tiers: Iterable[Tier]) -> dict[str, tuple[Tier, ...]]:
    """``service_tier`` string -> the tiers that answer to it; a document's own name comes last."""
    found: dict[str, tuple[Tier, ...]] = {}
    ordered = list(tiers)
    for tier in ordered:
        for name in tier.service_tier:
            found[name] = (*found.get(name, ()), tier)
    for tier in ordered:
        if tier not in found.get(tier.name, ()):
            found[tier.name] = (*found.get(tier.name, ()), tier)
    return found


def _by_model(routes: Iterable[Route], models: Iterable[str]) -> dict[str, list[Route]]:
    """The routes that match each model, in their order."""
    found: dict[str, list[Route]] = {name: [] for name in models}
    for route in routes:
        for model in route.record.match.models or found:
            found[model].append(route)
    return found


def _outermost(tenant: str) -> str:
    return tenant.partition("/")[0]


def _admits(names: tuple[str, ...], name: str) -> bool:
    return not names or name in names


def _prices(books: tuple[PriceBookRecord, ...], at: Micros) -> dict[str, Price]:
    """The price of each model at an instant: its newest entry not after it, in the first such book."""
    found: dict[str, Price] = {}
    for book in books:
        newest: dict[str, PriceEntry] = {}
        for entry in book.entries:
            held = newest.get(entry.model)
            if entry.start <= at and (held is None or held.start <= entry.start):
                newest[entry.model] = entry
        for model, entry in newest.items():
            if model not in found:
                found[model] = Price(
                    book=book.name,
                    uncached=entry.uncached_input_nano,
                    cached=entry.cached_input_nano,
                    output=entry.output_nano,
                    cache_write=_or(entry.cache_write_nano, entry.uncached_input_nano),
                    reasoning=_or(entry.reasoning_nano, entry.output_nano),
                    multipliers=book.tier_multipliers_ppm,
                )
    return found


def _or(written: int | None, otherwise: int) -> int:
    return otherwise if written is None else written
