"""What does a program say of one model, pool, tenant, request or instant? Objects that point at each other.

Made by ``coordination.program.tables`` and ``.index`` from records; read only, and equal to none but itself.
What stands for a record leads back to nothing, so the collector leaves it alone (``gc``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from coordination.program.guarantees import LimitKey, Pledge
from coordination.program.records import (
    MILLION,
    CapsRecord,
    DelegationRecord,
    GuardRecord,
    GuardsRecord,
    LimitRecord,
    Micros,
    ObjectiveRecord,
    OverflowAction,
    Ppm,
    QueueOrder,
    RampRecord,
    ReservationRecord,
    RouteRecord,
)
from coordination.program.timeline import holds


class Model(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    served_name: str
    context_window: int
    max_output: int
    uncached_ppm: Ppm
    cached_ppm: Ppm
    output_ppm: Ppm

    def cost(self, uncached: int, cached: int, output: int) -> int:
        """Fairness cost c of R5, in millionths of an uncached input token."""
        return uncached * self.uncached_ppm + cached * self.cached_ppm + output * self.output_ppm


class Pool(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    model: Model
    region: str
    replicas: tuple[str, ...]
    input_per_minute: int
    """Of one replica, as all capacities here."""
    output_per_minute: int
    sequences: int
    kv_tokens: int
    reservable_ppm: Ppm
    reserved_only: bool
    """Nothing but the lane is served (isolation)."""
    prefill_ns_per_token: int
    decode_us_per_token: int
    """Time between two tokens of one sequence when the replica is full: the slow end."""
    minimum_shares: Mapping[int, Ppm]
    """Band -> m of R14: what the tiers of the band that may come here keep of it, where that is something."""
    dns: str | None = None
    """The name that ``replicas`` stand in for."""
    generic: bool = False
    """Its engine is ``openai``: some server of which no more is known than that it has that API."""

    def share(self, input_per_minute: int, output_per_minute: int) -> Ppm:
        """x = in/C_in + out/C_out of the whole pool (R8): prefill and decode share the machine."""
        count = max(1, len(self.replicas))
        return input_per_minute * MILLION // (
            self.input_per_minute * count
        ) + output_per_minute * MILLION // (self.output_per_minute * count)


class Tier(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    service_tier: tuple[str, ...]
    band: int
    max_wait: Micros
    max_depth: int
    order: QueueOrder
    overflow: OverflowAction
    downgrade_to: str | None
    shares_cache: bool
    holdback_ppm: Ppm
    ramp: RampRecord | None
    counted: tuple[ObjectiveRecord, ...]
    """Promises that each of its requests is held against as it ends."""
    gap_bounds: tuple[Micros, ...]
    """Times between tokens that some of them are about."""


class Tenant(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    path: tuple[str, ...]
    """Names of the ancestors that exist, outermost first, ending with its own."""
    tiers: frozenset[str]
    default_tier: str
    zone: str
    inner: bool
    """Has children, so its own traffic is an implicit leaf beside them."""


class Quota(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    tenant: str
    tiers: frozenset[str]
    models: frozenset[str]
    weight_ppm: Ppm
    limits: tuple[LimitRecord, ...]
    concurrency: int | None
    session: GuardsRecord | None
    run: GuardsRecord | None
    caps: CapsRecord | None
    zone: str
    delegation: DelegationRecord | None = None

    @property
    def made(self) -> bool:
        """Not of the policy, but for a team whose limits were set and that the policy has no quota for."""
        return self.index < 0

    def covers(self, tier: str, model: str) -> bool:
        return (not self.tiers or tier in self.tiers) and (not self.models or model in self.models)

    @property
    def narrowness(self) -> tuple[bool, bool, int]:
        """Orders the quotas of one tenant from the widest scope to the most specific."""
        return (bool(self.models), bool(self.tiers), -self.index)


class Reservation(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A reservation on one pool. One that is divided over pools has one of these on each."""

    index: int
    key: str
    """Tells it from every other: its name, with the pool where there are several."""
    name: str
    """The document's."""
    tenant: str
    pool: str
    tier: str
    input_per_minute: int
    """Promised by this pool, as the next."""
    output_per_minute: int
    share_ppm: Ppm
    """x_r of R8: what part of the pool it takes."""
    ttft: tuple[ObjectiveRecord, ...]
    """What its tier promises, and it therefore to what conforms (R8)."""
    record: ReservationRecord


class Route(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    record: RouteRecord
    bounds: tuple[int, ...]
    """Upper ends of the arms, scaled to 2**64 (R4); weight 0 is an empty arm."""
    selective: bool
    """It asks for a region, a session or headers, beside what a scope and a length say."""
    steered: bool
    """It does more with a request than send it to a replica: a second attempt beside a slow one, copies, a
    verdict on a canary."""
    trials: Mapping[str, GuardRecord]
    """Canaries that are watched: those with a guard, if there are other pools to fall back on."""
    mirrors: tuple[tuple[str, int], ...]
    """Pools that get copies, each with the point on [0, 2**64) below which a request is copied."""

    least: int
    """Prompts of so many tokens are served, up to ..."""
    most: int
    """... less than so many."""
    reaches: tuple[tuple[str, ...], ...]
    """Of each target, its pool and after it the fallbacks."""


class Scope(msgspec.Struct, frozen=True, eq=False):
    """Everything the policy says of one (tenant, tier, model), whatever the hour."""

    tenant: Tenant
    tier: Tier
    model: Model
    quotas: tuple[Quota, ...]
    """In scope along the tenant's path, outermost tenant first (R9)."""
    leaf_path: tuple[str, ...]
    """Nodes of the fairness tree below the root; an inner tenant ends with its own leaf."""
    weights: tuple[Ppm, ...]
    """phi of each node of ``leaf_path``."""
    routes: tuple[Route, ...]
    """That match but for the prompt's length, by rank."""


class TokenClasses(Protocol):
    """Counts of the five classes, disjoint."""

    uncached_input: int
    cached_input: int
    cache_write: int
    output: int
    reasoning: int


class Price(msgspec.Struct, frozen=True, eq=False):
    """Nano-units of money per token, before the tier's multiplier."""

    book: str
    uncached: int
    cached: int
    output: int
    cache_write: int
    reasoning: int
    multipliers: dict[str, Ppm]

    def under(self, tier: str) -> Tariff:
        return Tariff(
            self.uncached,
            self.cached,
            self.output,
            self.cache_write,
            self.reasoning,
            self.multipliers.get(tier, MILLION),
        )


class Tariff(msgspec.Struct, frozen=True, eq=False):
    """Nano-units of money per token, as one tier is billed."""

    uncached: int
    cached: int
    output: int
    cache_write: int
    reasoning: int
    multiplier: Ppm

    def expected(self, uncached: int, cached: int, output: int) -> int:
        """Before anything is known of the two rarer classes."""
        nano = uncached * self.uncached + cached * self.cached + output * self.output
        return nano if self.multiplier == MILLION else nano * self.multiplier // MILLION

    def spend(self, usage: TokenClasses) -> int:
        nano = (
            usage.uncached_input * self.uncached
            + usage.cached_input * self.cached
            + usage.cache_write * self.cache_write
            + usage.output * self.output
            + usage.reasoning * self.reasoning
        )
        return nano if self.multiplier == MILLION else nano * self.multiplier // MILLION


class Reserve(msgspec.Struct, frozen=True, eq=False):
    """What of a pool's stocks reservations in force keep, and what of it they lend (R19)."""

    kept_ppm: Ppm
    """Sum of x_r."""
    lent: tuple[tuple[Micros, Ppm], ...]
    """(reclaim_within, x_r) of the reservations that lend."""

    def without(self, residual: Micros) -> Ppm:
        """What is kept from a request that will be over in ``residual``: all but what is lent to it."""
        kept = self.kept_ppm
        for within, part in self.lent:
            if residual <= within:
                kept -= part
        return kept


class PoolInForce(msgspec.Struct, frozen=True, eq=False):
    """What is reserved of one pool in a segment."""

    lanes: Mapping[tuple[str, str], tuple[Reservation, ...]]
    """(tier, tenant) -> reservations in force."""
    reserve: Reserve | None
    """None without any."""

    @classmethod
    def of(cls, reservations: Iterable[Reservation]) -> PoolInForce:
        """Of the reservations of a pool that are in force."""
        lanes: defaultdict[tuple[str, str], tuple[Reservation, ...]] = defaultdict(tuple)
        lent: list[tuple[Micros, Ppm]] = []
        kept: Ppm = 0
        for each in reservations:
            lanes[each.tier, each.tenant] += (each,)
            kept += each.share_ppm
            if each.record.lend_when_idle:
                lent.append((each.record.reclaim_within, each.share_ppm))
        return cls(dict(lanes), Reserve(kept, tuple(lent)) if lanes else None)


class Segment(msgspec.Struct, frozen=True, eq=False):
    """What is in force in [start, end): nothing in it changes before its end.

    What is reserved is looked at pool by pool, as each is asked for: of thousands of reservations a moment
    needs those of a few pools, and nobody waits for the others as a segment begins.
    """

    start: Micros
    end: Micros | None
    reservations: Mapping[str, tuple[Reservation, ...]]
    """Pool -> all its reservations, in force or not."""
    prices: dict[str, Price]
    limits: Mapping[str, tuple[LimitRecord, ...]]
    """Quota -> its limits as they are now, for quotas of which one is ever changed."""
    pledges: Mapping[LimitKey, Pledge]
    """Of limits that tenants share, each one's part (R9)."""
    _pools: dict[str, PoolInForce] = {}

    def limits_of(self, quota: Quota) -> tuple[LimitRecord, ...]:
        """The limits of a quota that hold now."""
        return self.limits.get(quota.name, quota.limits)

    def lanes_for(self, pool: str, scope: Scope) -> tuple[Reservation, ...]:
        """Reservations the request may use, its own tenant's first."""
        lanes = (self._pools.get(pool) or self._of(pool)).lanes
        if not lanes:
            return ()
        found: tuple[Reservation, ...] = ()
        for tenant in reversed(scope.tenant.path):
            found += lanes.get((scope.tier.name, tenant), ())
        return found

    def reserve_of(self, pool: str) -> Reserve | None:
        """What is reserved of a pool, if anything."""
        return (self._pools.get(pool) or self._of(pool)).reserve

    def in_force(self, reservations: Iterable[Reservation]) -> Iterator[Reservation]:
        """Those of some reservations that are in force."""
        return (each for each in reservations if holds(each.record.intervals, self.start))

    def _of(self, pool: str) -> PoolInForce:
        found = self._pools[pool] = PoolInForce.of(self.in_force(self.reservations.get(pool, ())))
        return found
