"""Fluent builders of compiled policies, so that a test states only what it is about.

a_policy().model("m").pool("p", replicas=2).tier("standard").tenant("acme").route("r", "p").load()
"""

from __future__ import annotations

from typing import Any

from coordination.program.index import Program, load
from coordination.program.records import (
    MILLION,
    BurnVector,
    CapsRecord,
    CostVector,
    DelegationRecord,
    GuardRecord,
    GuardsRecord,
    HedgingRecord,
    LimitRecord,
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
    TenantRecord,
    TierQueue,
    TierRecord,
    Timeouts,
)

START = 1_767_225_600 * MILLION
"""2026-01-01T00:00:00Z: where tests begin."""
SECOND = MILLION
MINUTE = 60 * SECOND


def overflow(text: str) -> Overflow:
    """``spill``, ``refuse``, ``queue`` or ``downgrade:<tier>``."""
    action, _, tier = text.partition(":")
    return Overflow(action=action, tier=tier or None)  # type: ignore[arg-type]


def limit(of: str, per: str, amount: int, **shared: Any) -> LimitRecord:
    """``shared``: ``guaranteed``, ``borrow``, ``lend``, ``shadow``."""
    return LimitRecord(of=of, per=per, limit=amount, **shared)  # type: ignore[arg-type]


class PolicyBuilder:
    """Collects records by name; every method returns the builder."""

    def __init__(self) -> None:
        self.models: list[ModelRecord] = []
        self.pools: list[PoolRecord] = []
        self.tenants: list[TenantRecord] = []
        self.tiers: list[TierRecord] = []
        self.reservations: list[ReservationRecord] = []
        self.quotas: list[QuotaRecord] = []
        self.price_books: list[PriceBookRecord] = []
        self.routes: list[RouteRecord] = []

    def model(
        self,
        name: str = "m",
        *,
        served_name: str | None = None,
        aliases: tuple[str, ...] = (),
        adapters: tuple[str, ...] = (),
        context_window: int = 131_072,
        costs: tuple[int, int, int] = (MILLION, MILLION // 10, 4 * MILLION),
    ) -> PolicyBuilder:
        self.models.append(
            ModelRecord(
                name=name,
                served_name=served_name or name,
                aliases=aliases,
                adapters=adapters,
                context_window=context_window,
                max_output=4096,
                cost=CostVector(uncached_input_ppm=costs[0], cached_input_ppm=costs[1], output_ppm=costs[2]),
            )
        )
        return self

    def pool(
        self,
        name: str = "p",
        *,
        model: str = "m",
        replicas: int = 4,
        input_per_minute: int = 600_000,
        output_per_minute: int = 60_000,
        sequences: int = 256,
        kv_tokens: int = 400_000,
        isolation: str = "shared",
        dns: str | None = None,
    ) -> PolicyBuilder:
        self.pools.append(
            PoolRecord(
                name=name,
                model=model,
                region="eu",
                engine="simulated",
                profile="llama-3-8b-h100-tp1",
                replicas=tuple(f"http://{name}-{index}" for index in range(replicas)),
                capacity=PoolCapacity(
                    input_tokens_per_minute=input_per_minute,
                    output_tokens_per_minute=output_per_minute,
                    sequences=sequences,
                    kv_tokens=kv_tokens,
                ),
                reservable_ppm=700_000,
                isolation=isolation,  # type: ignore[arg-type]
                dns=dns,
            )
        )
        return self

    def tier(
        self,
        name: str = "standard",
        *,
        service_tier: tuple[str, ...] | None = None,
        band: int = 200,
        max_wait: int = 30 * SECOND,
        max_depth: int = 1000,
        overflow_to: str = "queue",
        cache_sharing: str = "tenant",
        minimum_share: float = 0,
        holdback: float = 0,
        order: str = "fcfs",
        ramp: tuple[int, int, int] | None = None,
        objectives: tuple[ObjectiveRecord, ...] = (),
    ) -> PolicyBuilder:
        """``ramp``: growth in ppm, period, floor."""
        self.tiers.append(
            TierRecord(
                name=name,
                service_tier=service_tier or (name,),
                band=band,
                queue=TierQueue(max_wait=max_wait, max_depth=max_depth, order=order),  # type: ignore[arg-type]
                overflow=overflow(overflow_to),
                cache_sharing=cache_sharing,  # type: ignore[arg-type]
                minimum_share_ppm=round(minimum_share * MILLION),
                holdback_ppm=round(holdback * MILLION),
                ramp=None if ramp is None else RampRecord(growth_ppm=ramp[0], per=ramp[1], floor=ramp[2]),
                objectives=objectives,
            )
        )
        return self

    def tenant(
        self,
        name: str = "acme",
        *,
        tiers: tuple[str, ...] = (),
        default_tier: str | None = None,
        zone: str = "UTC",
        weight: float | None = None,
    ) -> PolicyBuilder:
        """``weight`` adds a Quota of that weight and nothing else."""
        entitled = tiers or tuple(tier.name for tier in self.tiers)
        self.tenants.append(
            TenantRecord(
                name=name,
                display_name=name.title(),
                tiers=entitled,
                default_tier=default_tier or entitled[0],
                zone=zone,
                labels={},
            )
        )
        if weight is not None:
            self.quota(f"{name.replace('/', '.')}-weight", name, weight=weight)
        return self

    def quota(
        self,
        name: str,
        tenant: str,
        *limits: LimitRecord,
        weight: float = 1,
        tiers: tuple[str, ...] = (),
        models: tuple[str, ...] = (),
        concurrency: int | None = None,
        session: GuardsRecord | None = None,
        run: GuardsRecord | None = None,
        caps: CapsRecord | None = None,
        delegates: tuple[str, ...] = (),
    ) -> PolicyBuilder:
        """``delegates``: rights that its `delegation` gives."""
        self.quotas.append(
            QuotaRecord(
                name=name,
                tenant=tenant,
                tiers=tiers,
                models=models,
                weight_ppm=round(weight * MILLION),
                limits=limits,
                concurrency=concurrency,
                session=session,
                run=run,
                caps=caps,
                delegation=DelegationRecord(**dict.fromkeys(delegates, True)) if delegates else None,
            )
        )
        return self

    def reservation(
        self,
        name: str,
        tenant: str,
        *,
        pool: str = "p",
        tier: str = "standard",
        input_per_minute: int = 120_000,
        output_per_minute: int = 12_000,
        window: int = 10 * SECOND,
        overflow_to: str = "spill",
        since: int = START,
        until: int | None = None,
        lends: bool = True,
        reclaim_within: int = SECOND,
    ) -> PolicyBuilder:
        self.reservations.append(
            ReservationRecord(
                name=name,
                tenant=tenant,
                tier=tier,
                portions=(
                    PortionRecord(
                        pool=pool,
                        input_tokens_per_minute=input_per_minute,
                        output_tokens_per_minute=output_per_minute,
                    ),
                ),
                burn=BurnVector(
                    uncached_input_ppm=MILLION, cached_input_ppm=MILLION // 10, output_ppm=MILLION
                ),
                intervals=((since, until),),
                enforcement_window=window,
                overflow=overflow(overflow_to),
                lend_when_idle=lends,
                reclaim_within=reclaim_within,
            )
        )
        return self

    def prices(
        self,
        *entries: tuple[str, int, int, int, int],
        name: str = "list",
        multipliers: dict[str, int] | None = None,
    ) -> PolicyBuilder:
        """Entries are (model, start, uncached, cached, output), in nano-units a token."""
        self.price_books.append(
            PriceBookRecord(
                name=name,
                currency="USD",
                entries=tuple(
                    PriceEntry(
                        model=model,
                        start=start,
                        uncached_input_nano=uncached,
                        cached_input_nano=cached,
                        output_nano=output,
                    )
                    for model, start, uncached, cached, output in entries
                ),
                tier_multipliers_ppm=multipliers or {},
            )
        )
        return self

    def route(
        self,
        name: str = "all",
        *targets: str | tuple[str, int],
        rank: int = 10,
        models: tuple[str, ...] = (),
        tiers: tuple[str, ...] = (),
        tenants: tuple[str, ...] = (),
        prompt: tuple[int, int | None] = (0, None),
        regions: tuple[str, ...] = (),
        session: bool | None = None,
        headers: dict[str, str] | None = None,
        strategy: str = "balanced",
        release_after: int = SECOND,
        scorers: dict[str, int] | None = None,
        sticky_for: int = 0,
        max_imbalance: float | None = None,
        fallback: tuple[str, ...] = (),
        attempts: int = 2,
        retry_on: tuple[str, ...] = ("connect", "status_503"),
        hedging: tuple[int, int] | None = None,
        mirrors: dict[str, int] | None = None,
        guards: dict[str, GuardRecord] | None = None,
    ) -> PolicyBuilder:
        """``mirrors``: pool -> ppm of the requests of which it gets a copy. ``guards``: of canaries."""
        arms = [(target, 1) if isinstance(target, str) else target for target in targets or ("p",)]
        self.routes.append(
            RouteRecord(
                name=name,
                rank=rank,
                match=RouteMatch(
                    models=models,
                    tiers=tiers,
                    tenants=tenants,
                    prompt_tokens_min=prompt[0],
                    prompt_tokens_max=prompt[1],
                    regions=regions,
                    session=session,
                    headers=headers or {},
                ),
                targets=tuple(
                    RouteTarget(
                        pool=pool,
                        weight=weight,
                        canary=pool in (guards or {}),
                        guard=(guards or {}).get(pool),
                        mirror_ppm=(mirrors or {}).get(pool, 0),
                    )
                    for pool, weight in arms
                ),
                placement=Placement(
                    strategy=strategy,  # type: ignore[arg-type]
                    release_after=release_after,
                    scorers=scorers or {},
                    sticky_for=sticky_for,
                    max_imbalance_ppm=None if max_imbalance is None else round(max_imbalance * MILLION),
                ),
                fallback=fallback,
                timeouts=Timeouts(first_byte=10 * SECOND, total=5 * MINUTE),
                retries=Retries(attempts=attempts, on=retry_on),  # type: ignore[arg-type]
                hedging=HedgingRecord(after=hedging[0], most_ppm=hedging[1]) if hedging else None,
            )
        )
        return self

    def records(self, **changes: Any) -> ProgramRecords:
        """The compiled form, each tuple sorted by name as the compiler emits it."""

        def by_name(records: list[Any]) -> tuple[Any, ...]:
            return tuple(sorted(records, key=lambda record: record.name))

        return ProgramRecords(
            environment=changes.get("environment", "test"),
            at=changes.get("at", START),
            models=by_name(self.models),
            pools=by_name(self.pools),
            tenants=by_name(self.tenants),
            tiers=by_name(self.tiers),
            reservations=by_name(self.reservations),
            quotas=by_name(self.quotas),
            price_books=by_name(self.price_books),
            routes=by_name(self.routes),
        )

    def load(self) -> Program:
        return load(self.records())


def a_policy() -> PolicyBuilder:
    """Nothing yet."""
    return PolicyBuilder()


def one_pool(*tenants: str, replicas: int = 4, **tier: Any) -> PolicyBuilder:
    """One model, one pool ``p``, one tier ``standard``, one route to it; tenants ``acme`` by default."""
    policy = a_policy().model().pool(replicas=replicas).tier(**tier).route()
    for tenant in tenants or ("acme",):
        policy.tenant(tenant)
    return policy
