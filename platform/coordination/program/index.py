"""How does a gateway find, in constant time, what the policy says of a request?

``load`` turns records (names) into a ``Program``: objects that point at each other and carry the
integers the hot path needs. What applies to one (tenant, tier, model) is resolved once, on first
use, into a ``Scope``; what is in force at one instant into a ``Segment`` of the timeline (R1).
Both are memoised, so ten thousand idle tenants cost nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from coordination.program.guarantees import LimitKey, Pledge, pledges
from coordination.program.records import (
    MILLION,
    LimitRecord,
    Micros,
    ModelRecord,
    PoolRecord,
    Ppm,
    PriceBookRecord,
    PriceEntry,
    ProgramRecords,
    RouteRecord,
)
from coordination.program.resolved import (
    Model,
    Pool,
    Price,
    Quota,
    Reservation,
    Reserve,
    Route,
    Scope,
    Segment,
    Tariff,
    Tenant,
    Tier,
    TokenClasses,
)
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

MINUTE: Micros = 60 * MILLION
ANY_LENGTH = 1 << 62
"""More tokens than any prompt has."""

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
    "TokenClasses",
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
        "_routes_by_model",
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

    def __init__(self, records: ProgramRecords) -> None:
        self.records = records
        self.models = {r.name: _model(i, r) for i, r in enumerate(records.models)}
        self.models_by_client_name: dict[str, Model] = {}
        for record in records.models:
            for name in (record.served_name, *record.aliases):
                self.models_by_client_name.setdefault(name, self.models[record.name])
        for record in records.models:
            for name in record.adapters:
                self.models_by_client_name.setdefault(name, self.models[record.name])
        self.adapters = frozenset(name for record in records.models for name in record.adapters)
        """Names by which clients and engines call adapters."""
        shares = _minimum_shares(records)
        self.pools = {
            r.name: _pool(i, r, self.models[r.model], shares.get(r.name, {}))
            for i, r in enumerate(records.pools)
        }
        self.tiers = {
            r.name: Tier(
                index=i,
                name=r.name,
                service_tier=r.service_tier,
                band=r.band,
                max_wait=r.queue.max_wait,
                max_depth=r.queue.max_depth,
                order=r.queue.order,
                overflow=r.overflow.action,
                downgrade_to=r.overflow.tier,
                shares_cache=r.cache_sharing == "pool",
                holdback_ppm=r.holdback_ppm,
                ramp=r.ramp,
                counted=(counted := tuple(one for one in r.objectives if one.counted)),
                gap_bounds=tuple(sorted({one.target for one in counted if one.metric in ("itl", "tpot")})),
            )
            for i, r in enumerate(records.tiers)
        }
        self.tiers_by_service_tier = _answering(self.tiers.values())
        self.tenants = _tenants(records)
        self.quotas = {
            r.name: Quota(
                index=i,
                name=r.name,
                tenant=r.tenant,
                tiers=frozenset(r.tiers),
                models=frozenset(r.models),
                weight_ppm=r.weight_ppm,
                limits=r.limits,
                concurrency=r.concurrency,
                session=r.session,
                run=r.run,
                caps=r.caps,
                zone=self.tenants[r.tenant].zone,
                delegation=r.delegation,
            )
            for i, r in enumerate(records.quotas)
        }
        self._pledges = pledges(records.quotas)
        self._guaranteeing = {
            _outermost(quota.tenant) for quota in records.quotas for one in quota.limits if one.guaranteed
        }
        """Outermost tenants in whose trees anybody is guaranteed anything."""
        self._changing = changing(records.quotas)
        self._quotas_of: dict[str, list[Quota]] = {}
        for quota in self.quotas.values():
            self._quotas_of.setdefault(quota.tenant, []).append(quota)
        self.reservations = {held.key: held for held in _reservations(records, self.pools)}
        """By key."""
        self._reserved_for: dict[str, list[Reservation]] = {}
        of_pools: defaultdict[str, list[Reservation]] = defaultdict(list)
        for held in self.reservations.values():
            self._reserved_for.setdefault(held.tenant, []).append(held)
            of_pools[held.pool].append(held)
        self._reservations_of = {pool: tuple(held) for pool, held in of_pools.items()}
        by_rank = sorted(records.routes, key=lambda r: (r.rank, r.name))
        self.routes = {r.name: _route(i, r) for i, r in enumerate(by_rank)}
        self.selective = any(route.selective for route in self.routes.values())
        self.counts_runs = any(quota.session or quota.run for quota in self.quotas.values()) or any(
            tier.order == "las" for tier in self.tiers.values()
        )
        """Requests must say which run and session they belong to."""
        """Some route asks for more than a scope and a length."""
        self.match_headers = frozenset(name for r in by_rank for name in r.match.headers)
        """Headers that some route looks at."""
        self._boundaries = boundaries(records)
        self._routes_by_model: dict[str, tuple[Route, ...]] = {}
        self._scopes: dict[tuple[str, str, str], Scope] = {}
        self._segments: dict[int, Segment] = {}
        self.teams: Teams = NOTHING_SET
        """What administrators of tenants set for their teams, as far as this policy lets it stand."""
        self.overlay = Overlay()
        self._judge = Judge(self._path, lambda name: self._quotas_of.get(name, ()))
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

    def _path(self, tenant: str) -> tuple[str, ...] | None:
        held = self.tenants.get(tenant)
        return None if held is None else held.path

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
            for route in self._routes_of(model.name)
            if _admits(route.record.match.tiers, tier.name)
            and (not route.record.match.tenants or not ancestors.isdisjoint(route.record.match.tenants))
        )
        return Scope(tenant, tier, model, tuple(quotas), leaf_path, tuple(weights), routes)

    def _routes_of(self, model: str) -> tuple[Route, ...]:
        """Those that match a model, by rank: all that a tenant's scope needs to look at."""
        found = self._routes_by_model.get(model)
        if found is None:
            matching = (r for r in self.routes.values() if _admits(r.record.match.models, model))
            found = self._routes_by_model[model] = tuple(matching)
        return found

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
        return replace(segment, limits=limits, pledges=self._pledges_under(limits))

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
                replace(quota, limits=limits.get(quota.name, quota.limits))
                for quota in self.quotas.values()
                if _outermost(quota.tenant) in outermost
            ]
        )


def load(records: ProgramRecords) -> Program:
    """Index a compiled policy. Trusts the compiler: a dangling name raises KeyError."""
    return Program(records)


def _model(index: int, record: ModelRecord) -> Model:
    return Model(
        index=index,
        name=record.name,
        served_name=record.served_name,
        context_window=record.context_window,
        max_output=record.max_output,
        uncached_ppm=record.cost.uncached_input_ppm,
        cached_ppm=record.cost.cached_input_ppm,
        output_ppm=record.cost.output_ppm,
    )


def _pool(index: int, record: PoolRecord, model: Model, minimum_shares: Mapping[int, Ppm]) -> Pool:
    capacity = record.capacity
    per_minute = max(1, capacity.input_tokens_per_minute)
    output = max(1, capacity.output_tokens_per_minute)
    return Pool(
        index=index,
        name=record.name,
        model=model,
        region=record.region,
        replicas=record.replicas,
        input_per_minute=per_minute,
        output_per_minute=output,
        sequences=capacity.sequences,
        kv_tokens=capacity.kv_tokens,
        reservable_ppm=record.reservable_ppm,
        reserved_only=record.isolation == "reserved_only",
        prefill_ns_per_token=max(1, MINUTE * 1000 // per_minute),
        decode_us_per_token=max(1, MINUTE * capacity.sequences // output),
        minimum_shares=minimum_shares,
        dns=record.dns,
        generic=record.engine == "openai",
    )


def _minimum_shares(records: ProgramRecords) -> dict[str, dict[int, Ppm]]:
    """Pool -> band -> m of R14. What fallbacks bring together beyond the whole is scaled down to it."""
    keeping = {r.name: r for r in records.tiers if r.minimum_share_ppm}
    if not keeping:
        return {}
    tiers_of: dict[str, set[str]] = {}
    for route in records.routes:
        reached = [target.pool for target in route.targets if target.weight]
        for pool in (*reached, *route.fallback):
            tiers_of.setdefault(pool, set()).update(route.match.tiers or keeping)
    found: dict[str, dict[int, Ppm]] = {}
    for pool, names in tiers_of.items():
        bands: dict[int, Ppm] = {}
        for name in sorted(names & keeping.keys()):
            tier = keeping[name]
            bands[tier.band] = bands.get(tier.band, 0) + tier.minimum_share_ppm
        total = max(MILLION, sum(bands.values()))
        if bands:
            found[pool] = {band: share * MILLION // total for band, share in bands.items()}
    return found


def _reservations(records: ProgramRecords, pools: Mapping[str, Pool]) -> Iterator[Reservation]:
    """Each portion of each reservation."""
    objectives = {t.name: tuple(one for one in t.objectives if one.metric == "ttft") for t in records.tiers}
    index = 0
    for record in records.reservations:
        for portion in record.portions:
            rates = portion.input_tokens_per_minute, portion.output_tokens_per_minute
            yield Reservation(
                index=index,
                key=record.name if len(record.portions) == 1 else f"{record.name}@{portion.pool}",
                name=record.name,
                tenant=record.tenant,
                pool=portion.pool,
                tier=record.tier,
                input_per_minute=rates[0],
                output_per_minute=rates[1],
                share_ppm=pools[portion.pool].share(*rates),
                ttft=objectives[record.tier],
                record=record,
            )
            index += 1


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


def _tenants(records: ProgramRecords) -> dict[str, Tenant]:
    paths: dict[str, tuple[str, ...]] = {}
    inner: set[str] = set()
    for name in sorted(r.name for r in records.tenants):  # whoever is above comes before
        above = name.rpartition("/")[0]
        while above and above not in paths:
            above = above.rpartition("/")[0]
        path = paths.get(above, ())
        paths[name] = (*path, name)
        inner.update(path)
    return {
        r.name: Tenant(
            index=i,
            name=r.name,
            path=paths[r.name],
            tiers=frozenset(r.tiers),
            default_tier=r.default_tier,
            zone=r.zone,
            inner=r.name in inner,
        )
        for i, r in enumerate(records.tenants)
    }


def _outermost(tenant: str) -> str:
    return tenant.partition("/")[0]


def _admits(names: tuple[str, ...], name: str) -> bool:
    return not names or name in names


def _arms(route: RouteRecord) -> tuple[int, ...]:
    """Cumulative ends of the targets' intervals on [0, 2**64), in the order written (R4)."""
    total = max(1, sum(target.weight for target in route.targets))
    ends, reached = [], 0
    for target in route.targets:
        reached += target.weight
        ends.append((reached << 64) // total)
    return tuple(ends)


def _selective(route: RouteRecord) -> bool:
    match = route.match
    return bool(match.regions or match.headers or match.session is not None)


def _route(index: int, record: RouteRecord) -> Route:
    mirrors = tuple((t.pool, (t.mirror_ppm << 64) // MILLION) for t in record.targets if t.mirror_ppm)
    others = any(t.weight and not t.canary for t in record.targets)
    trials = {t.pool: t.guard for t in record.targets if t.canary and t.guard and t.weight and others}
    return Route(
        index=index,
        name=record.name,
        record=record,
        bounds=_arms(record),
        selective=_selective(record),
        least=record.match.prompt_tokens_min,
        most=ANY_LENGTH if record.match.prompt_tokens_max is None else record.match.prompt_tokens_max,
        reaches=tuple(
            (target.pool, *(name for name in record.fallback if name != target.pool))
            for target in record.targets
        ),
        steered=record.hedging is not None or bool(mirrors) or bool(trials),
        trials=trials,
        mirrors=mirrors,
    )


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
