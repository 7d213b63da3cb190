"""Which objects stand for the records of a policy? Kind by kind.

Each function is a pure one of the records it is given, and what it makes is read only: whoever loads one
policy after another may have made again only what is of other records than before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from coordination.program.named import Quota, Reservation, Tenant
from coordination.program.records import (
    MILLION,
    Micros,
    ModelRecord,
    PoolRecord,
    Ppm,
    ProgramRecords,
    QuotaRecord,
    ReservationRecord,
    RouteRecord,
    TenantRecord,
    TierRecord,
)
from coordination.program.resolved import Model, Pool, Route, Tier

MINUTE: Micros = 60 * MILLION
ANY_LENGTH = 1 << 62
"""More tokens than any prompt has."""


class Tables(NamedTuple):
    """Every object of a policy, by name; what stands for a kind is in the order of its records."""

    models: dict[str, Model]
    pools: dict[str, Pool]
    tenants: dict[str, Tenant]
    tiers: dict[str, Tier]
    reservations: dict[str, Reservation]
    """By key: those of each portion."""
    quotas: dict[str, Quota]
    routes: dict[str, Route]
    """By rank, then name."""


def tables_of(records: ProgramRecords) -> Tables:
    """All of a policy. A dangling name raises KeyError."""
    models = models_of(records.models)
    shares = minimum_shares(records.tiers, records.routes)
    pools = pools_of(records.pools, models, shares)
    tenants = tenants_of(records.tenants)
    return Tables(
        models,
        pools,
        tenants,
        tiers_of(records.tiers),
        reservations_of(records.reservations, pools, records.tiers),
        quotas_of(records.quotas, {name: tenant.zone for name, tenant in tenants.items()}),
        routes_of(records.routes),
    )


def models_of(records: Sequence[ModelRecord]) -> dict[str, Model]:
    return {
        r.name: Model(
            index=i,
            name=r.name,
            served_name=r.served_name,
            context_window=r.context_window,
            max_output=r.max_output,
            uncached_ppm=r.cost.uncached_input_ppm,
            cached_ppm=r.cost.cached_input_ppm,
            output_ppm=r.cost.output_ppm,
        )
        for i, r in enumerate(records)
    }


def pools_of(
    records: Sequence[PoolRecord],
    models: Mapping[str, Model],
    shares: Mapping[str, Mapping[int, Ppm]],
) -> dict[str, Pool]:
    """``shares``: see ``minimum_shares``."""
    return {r.name: _pool(i, r, models[r.model], shares.get(r.name, {})) for i, r in enumerate(records)}


def _pool(index: int, record: PoolRecord, model: Model, shares: Mapping[int, Ppm]) -> Pool:
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
        minimum_shares=shares,
        dns=record.dns,
        generic=record.engine == "openai",
    )


def minimum_shares(tiers: Sequence[TierRecord], routes: Sequence[RouteRecord]) -> dict[str, dict[int, Ppm]]:
    """Pool -> band -> m of R14. What fallbacks bring together beyond the whole is scaled down to it."""
    keeping = {r.name: r for r in tiers if r.minimum_share_ppm}
    if not keeping:
        return {}
    tiers_of: dict[str, set[str]] = {}
    for route in routes:
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


def tiers_of(records: Sequence[TierRecord]) -> dict[str, Tier]:
    return {
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
        for i, r in enumerate(records)
    }


def tenants_of(records: Sequence[TenantRecord]) -> dict[str, Tenant]:
    paths: dict[str, tuple[str, ...]] = {}
    inner: set[str] = set()
    for name in sorted(r.name for r in records):  # whoever is above comes before
        above = name.rpartition("/")[0]
        while above and above not in paths:
            above = above.rpartition("/")[0]
        path = paths.get(above, ())
        paths[name] = (*path, name)
        inner.update(path)
    entitled = {tiers: frozenset(tiers) for tiers in {r.tiers for r in records}}  # few lists of many tenants
    return {
        r.name: Tenant(
            index=i,
            name=r.name,
            path=paths[r.name],
            tiers=entitled[r.tiers],
            default_tier=r.default_tier,
            zone=r.zone,
            inner=r.name in inner,
        )
        for i, r in enumerate(records)
    }


def quotas_of(records: Sequence[QuotaRecord], zones: Mapping[str, str]) -> dict[str, Quota]:
    """``zones``: of each tenant."""
    return {
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
            zone=zones[r.tenant],
            delegation=r.delegation,
        )
        for i, r in enumerate(records)
    }


def reservations_of(
    records: Sequence[ReservationRecord], pools: Mapping[str, Pool], tiers: Sequence[TierRecord]
) -> dict[str, Reservation]:
    """Each portion of each reservation, by key."""
    objectives = {t.name: tuple(one for one in t.objectives if one.metric == "ttft") for t in tiers}
    found: dict[str, Reservation] = {}
    for record in records:
        alone = len(record.portions) == 1
        for portion in record.portions:
            rates = portion.input_tokens_per_minute, portion.output_tokens_per_minute
            key = record.name if alone else f"{record.name}@{portion.pool}"
            found[key] = Reservation(
                index=len(found),
                key=key,
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
    return found


def routes_of(records: Sequence[RouteRecord]) -> dict[str, Route]:
    by_rank = sorted(records, key=lambda r: (r.rank, r.name))
    return {r.name: _route(i, r) for i, r in enumerate(by_rank)}


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
