"""How does each kind of document become the record a gateway reads? Defaults are settled here.

One function a kind; all of them total: what could fail has been refused by a rule before. Each is a pure
function of an entry and what it is given, so that an edit has only those lowered again that it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.dividing import Portion, portions_of
from coordination.compiler.objectives import carried
from coordination.compiler.windows import Interval, intervals
from coordination.program.records import (
    AuthRecord,
    BurnVector,
    CapsRecord,
    CostVector,
    DelegationRecord,
    GuardRecord,
    GuardsRecord,
    HedgingRecord,
    LengthRecord,
    LimitRecord,
    LoopGuardRecord,
    Micros,
    ModelRecord,
    ObjectiveRecord,
    Overflow,
    Placement,
    PoolCapacity,
    PoolRecord,
    PortionRecord,
    PriceBookRecord,
    PriceEntry,
    ProgramRecords,
    QuotaRecord,
    RampRecord,
    ReservationRecord,
    Retries,
    RouteMatch,
    RouteRecord,
    RouteTarget,
    ScheduledRecord,
    TenantRecord,
    TierQueue,
    TierRecord,
    Timeouts,
)
from coordination.spec import kinds
from coordination.spec.kinds.objective import Objective
from coordination.spec.kinds.quota import Caps, Delegation
from coordination.spec.quantities import LARGEST, Money


def lower(catalogue: Catalogue, *, environment: str) -> ProgramRecords:
    """The whole program of one environment, for the timeline the catalogue looks at."""
    return ProgramRecords(
        environment=environment,
        at=catalogue.at,
        models=catalogue.ask(models),
        pools=catalogue.ask(pools),
        tenants=catalogue.ask(tenants),
        tiers=catalogue.ask(tiers),
        reservations=catalogue.ask(reservations),
        quotas=catalogue.ask(quotas),
        price_books=catalogue.ask(price_books),
        routes=catalogue.ask(routes),
    )


def models(catalogue: Catalogue) -> tuple[ModelRecord, ...]:
    """A question, as one for each kind: what no edit has touched is the same records."""
    return tuple([entry.made(model) for entry in catalogue.models.values()])


def pools(catalogue: Catalogue) -> tuple[PoolRecord, ...]:
    return tuple([entry.made(pool) for entry in catalogue.pools.values()])


def tenants(catalogue: Catalogue) -> tuple[TenantRecord, ...]:
    return tuple([entry.made(tenant) for entry in catalogue.tenants.values()])


def tiers(catalogue: Catalogue) -> tuple[TierRecord, ...]:
    return tuple([entry.made(tier) for entry in catalogue.tiers.values()])


def reservations(catalogue: Catalogue) -> tuple[ReservationRecord, ...]:
    """What is over by ``at``, or begins at the horizon or later, is left out."""
    at, horizon = catalogue.at, catalogue.horizon
    windows, portions = catalogue.windows, catalogue.ask(portions_of)
    made = [
        entry.made(reservation, portions[name], windows[name], at, horizon)
        for name, entry in catalogue.reservations.items()
    ]
    return tuple([record for record in made if record.intervals])


def quotas(catalogue: Catalogue) -> tuple[QuotaRecord, ...]:
    at, horizon = catalogue.at, catalogue.horizon
    return tuple([entry.made(quota, at, horizon) for entry in catalogue.quotas.values()])


def price_books(catalogue: Catalogue) -> tuple[PriceBookRecord, ...]:
    return tuple([entry.made(price_book) for entry in catalogue.price_books.values()])


def routes(catalogue: Catalogue) -> tuple[RouteRecord, ...]:
    return tuple(
        [
            entry.made(route, tuple(catalogue.tenants_of(entry.spec.match)))
            for entry in catalogue.routes.values()
        ]
    )


def model(entry: Entry[kinds.Model]) -> ModelRecord:
    spec = entry.spec
    return ModelRecord(
        name=entry.name,
        served_name=spec.served_name or entry.name,
        aliases=spec.aliases,
        context_window=spec.context_window,
        max_output=spec.max_output or spec.context_window,
        cost=CostVector(
            uncached_input_ppm=spec.cost.uncached_input,
            cached_input_ppm=spec.cost.cached_input,
            output_ppm=spec.cost.output,
        ),
        adapters=spec.adapters,
    )


def pool(entry: Entry[kinds.Pool]) -> PoolRecord:
    spec, capacity = entry.spec, entry.spec.capacity
    isolation: Any = spec.isolation
    assert capacity is not None, "CAP203 lets no pool through without its capacity"  # noqa: S101
    return PoolRecord(
        name=entry.name,
        model=spec.model,
        region=spec.region,
        engine=spec.engine,
        profile=spec.profile,
        replicas=spec.replicas.urls or _planned(entry.name, spec.replicas.planned),
        dns=spec.replicas.dns,
        capacity=PoolCapacity(
            input_tokens_per_minute=capacity.input,
            output_tokens_per_minute=capacity.output,
            sequences=capacity.sequences,
            kv_tokens=capacity.kv_tokens,
        ),
        reservable_ppm=spec.reservable,
        isolation=isolation,
        auth=AuthRecord(env=spec.auth.env, file=spec.auth.file) if spec.auth is not None else None,
    )


def _planned(pool: str, count: int) -> tuple[str, ...]:
    """Replicas that nobody knows yet, for all that reckons with how many there will be."""
    return tuple(f"http://{number}.{pool}.planned" for number in range(count))


def tenant(entry: Entry[kinds.Tenant]) -> TenantRecord:
    spec = entry.spec
    return TenantRecord(
        name=entry.name,
        display_name=spec.display_name or entry.name,
        tiers=spec.tiers,
        default_tier=spec.default_tier or spec.tiers[0],
        zone=spec.zone,
        labels=spec.labels,
    )


def tier(entry: Entry[kinds.Tier]) -> TierRecord:
    spec = entry.spec
    sharing: Any = spec.cache_sharing
    order: Any = spec.queue.order
    return TierRecord(
        name=entry.name,
        service_tier=spec.service_tier or (entry.name,),
        band=spec.band,
        queue=TierQueue(max_wait=spec.queue.max_wait, max_depth=spec.queue.max_depth, order=order),
        overflow=overflow(spec.overflow),
        cache_sharing=sharing,
        minimum_share_ppm=spec.minimum_share,
        holdback_ppm=spec.holdback,
        ramp=None if spec.ramp is None else ramp(spec.ramp),
        objectives=tuple(objective(one) for one in spec.objectives if carried(one)),
    )


def objective(spec: Objective) -> ObjectiveRecord:
    """Of a promise of a time; availability is counted for every tier."""
    length = spec.uncached_input
    metric: Any = spec.metric
    return ObjectiveRecord(
        metric=metric,
        target=spec.target.time or 0,
        percentile=spec.percentile,
        uncached_input=None if length is None else LengthRecord(min=length.min, max=length.max),
    )


def ramp(spec: Any) -> RampRecord:
    return RampRecord(growth_ppm=spec.growth, per=spec.per, floor=spec.floor)


def overflow(spec: kinds.Overflow) -> Overflow:
    return Overflow(action=spec.action, tier=spec.tier)


def reservation(
    entry: Entry[kinds.Reservation],
    portions: tuple[Portion, ...],
    windows: tuple[Interval, ...],
    at: Micros,
    horizon: Micros,
) -> ReservationRecord:
    """``windows``: when it is in force. What does not meet [at, horizon) leaves no interval."""
    spec = entry.spec
    return ReservationRecord(
        name=entry.name,
        tenant=spec.tenant,
        tier=spec.tier,
        portions=tuple(
            PortionRecord(
                pool=portion.pool,
                input_tokens_per_minute=portion.input,
                output_tokens_per_minute=portion.output,
            )
            for portion in portions
        ),
        burn=BurnVector(
            uncached_input_ppm=spec.burn.uncached_input,
            cached_input_ppm=spec.burn.cached_input,
            output_ppm=spec.burn.output,
            cache_write_ppm=spec.burn.cache_write,
            reasoning_ppm=spec.burn.reasoning,
        ),
        intervals=in_sight(windows, at, horizon),
        enforcement_window=spec.enforcement_window,
        overflow=overflow(spec.overflow),
        lend_when_idle=spec.lend_when_idle,
        reclaim_within=spec.reclaim_within,
    )


def in_sight(
    windows: tuple[Interval, ...], at: Micros, horizon: Micros
) -> tuple[tuple[Micros, Micros | None], ...]:
    """The stretches of a window that meet [at, horizon)."""
    if windows and windows[0].end > at and windows[-1].start < horizon and windows[-1].end != LARGEST:
        return windows
    return tuple(
        (one.start, None if one.end == LARGEST else one.end)
        for one in windows
        if one.start < horizon and one.end > at
    )


def quota(entry: Entry[kinds.Quota], at: Micros, horizon: Micros) -> QuotaRecord:
    spec = entry.spec
    return QuotaRecord(
        name=entry.name,
        tenant=spec.tenant,
        tiers=spec.scope.tiers,
        models=spec.scope.models,
        weight_ppm=spec.weight,
        limits=tuple(limit(each, at, horizon) for each in spec.limits),
        concurrency=spec.concurrency,
        session=None if spec.session is None else guards(spec.session),
        run=None if spec.run is None else guards(spec.run),
        caps=None if spec.caps is None else caps(spec.caps),
        delegation=delegation(spec.delegation),
    )


def delegation(spec: Delegation) -> DelegationRecord | None:
    made = DelegationRecord(weight=spec.weight, limits=spec.limits, keys=spec.keys)
    return made if made.rights else None


def caps(spec: Caps) -> CapsRecord:
    return CapsRecord(sequences=spec.sequences, kv_share_ppm=spec.kv_share, bytes=spec.bytes)


def guards(spec: Any) -> GuardsRecord:
    """Of a session, or of a run, which may have a loop guard."""
    loop = getattr(spec, "loop_guard", None)
    return GuardsRecord(
        tokens=spec.tokens,
        steps=spec.steps,
        wall_time=spec.wall_time,
        branches=spec.branches,
        loop_guard=None if loop is None else LoopGuardRecord(loop.repeats, loop.then),
    )


def limit(spec: Any, at: Micros, horizon: Micros) -> LimitRecord:
    return LimitRecord(
        of=spec.of,
        per=spec.per,
        limit=_amount(spec.limit),
        guaranteed=_amount(spec.guaranteed),
        borrow=_amount(spec.borrow),
        lend=_amount(spec.lend),
        shadow=spec.shadow,
        scheduled=tuple(_scheduled(spec, at, horizon)),
    )


def _scheduled(spec: Any, at: Micros, horizon: Micros) -> Iterator[ScheduledRecord]:
    """Every change, with the times within sight at which it holds, if any."""
    for change in spec.scheduled:
        found = in_sight(intervals(change.window, at, horizon), at, horizon)
        yield ScheduledRecord(intervals=found, limit=_amount(change.limit))


def _amount(written: Any) -> Any:
    return written.nano if isinstance(written, Money) else written


def price_book(entry: Entry[kinds.PriceBook]) -> PriceBookRecord:
    spec = entry.spec
    entries = (
        PriceEntry(
            model=e.model,
            start=e.from_,
            uncached_input_nano=e.uncached_input.nano,
            cached_input_nano=e.cached_input.nano,
            output_nano=e.output.nano,
            cache_write_nano=_amount(e.cache_write),
            reasoning_nano=_amount(e.reasoning),
        )
        for e in spec.entries
    )
    return PriceBookRecord(
        name=entry.name,
        currency=spec.currency,
        entries=tuple(sorted(entries, key=lambda e: (e.model, e.start))),
        tier_multipliers_ppm=spec.tier_multipliers,
    )


def route(entry: Entry[kinds.Route], tenants: tuple[str, ...]) -> RouteRecord:
    """``tenants``: whom it is for, by name or by label."""
    spec, match = entry.spec, entry.spec.match
    strategy: Any = spec.placement.strategy
    on: Any = spec.retries.on
    return RouteRecord(
        name=entry.name,
        rank=spec.rank,
        match=RouteMatch(
            models=match.models,
            tiers=match.tiers,
            tenants=tenants,
            prompt_tokens_min=match.prompt_tokens.min,
            prompt_tokens_max=match.prompt_tokens.max,
            regions=match.regions,
            session=match.session,
            headers=match.headers,
        ),
        targets=tuple(map(target, spec.targets)),
        placement=Placement(
            strategy=strategy,
            release_after=spec.placement.release_after,
            scorers={name: weight for name, weight in spec.placement.scorers.items() if weight},
            sticky_for=spec.placement.sticky_for,
            max_imbalance_ppm=spec.placement.max_imbalance,
        ),
        fallback=spec.fallback,
        timeouts=Timeouts(first_byte=spec.timeouts.first_byte, total=spec.timeouts.total),
        retries=Retries(attempts=spec.retries.attempts, on=on),
        hedging=None
        if spec.hedging is None
        else HedgingRecord(after=spec.hedging.after, most_ppm=spec.hedging.most),
    )


def target(spec: Any) -> RouteTarget:
    guard = spec.guard
    return RouteTarget(
        pool=spec.pool,
        weight=spec.weight,
        canary=spec.canary,
        guard=None
        if guard is None
        else GuardRecord(errors_ppm=guard.errors, slower_ppm=guard.slower, over=guard.over),
        mirror_ppm=spec.mirror,
    )
