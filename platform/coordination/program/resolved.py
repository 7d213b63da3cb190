"""What does a program say of one model, pool, tenant, request or instant? Objects that point at each other.

Made by ``coordination.program.tables`` and ``.index`` from records; read only, and equal to none but itself.
(Tenants, quotas and reservations: ``coordination.program.named``.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from coordination.program.guarantees import LimitKey, Pledge
from coordination.program.named import Quota, Reservation, Tenant
from coordination.program.records import (
    MILLION,
    GuardRecord,
    LimitRecord,
    Micros,
    ObjectiveRecord,
    OverflowAction,
    Ppm,
    QueueOrder,
    RampRecord,
    RouteRecord,
)
from coordination.program.timeline import holds


class Model:
    __slots__ = (
        "cached_ppm",
        "context_window",
        "index",
        "max_output",
        "name",
        "output_ppm",
        "served_name",
        "uncached_ppm",
    )

    def __init__(
        self,
        index: int,
        name: str,
        served_name: str,
        context_window: int,
        max_output: int,
        uncached_ppm: Ppm,
        cached_ppm: Ppm,
        output_ppm: Ppm,
    ) -> None:
        self.index = index
        self.name = name
        self.served_name = served_name
        self.context_window = context_window
        self.max_output = max_output
        self.uncached_ppm = uncached_ppm
        self.cached_ppm = cached_ppm
        self.output_ppm = output_ppm

    def cost(self, uncached: int, cached: int, output: int) -> int:
        """Fairness cost c of R5, in millionths of an uncached input token."""
        return uncached * self.uncached_ppm + cached * self.cached_ppm + output * self.output_ppm


class Pool:
    __slots__ = (
        "decode_us_per_token",
        "dns",
        "generic",
        "index",
        "input_per_minute",
        "kv_tokens",
        "minimum_shares",
        "model",
        "name",
        "output_per_minute",
        "prefill_ns_per_token",
        "region",
        "replicas",
        "reservable_ppm",
        "reserved_only",
        "sequences",
    )

    def __init__(
        self,
        index: int,
        name: str,
        model: Model,
        region: str,
        replicas: tuple[str, ...],
        input_per_minute: int,
        output_per_minute: int,
        sequences: int,
        kv_tokens: int,
        reservable_ppm: Ppm,
        reserved_only: bool,
        prefill_ns_per_token: int,
        decode_us_per_token: int,
        minimum_shares: Mapping[int, Ppm],
        dns: str | None = None,
        generic: bool = False,
    ) -> None:
        self.index = index
        self.name = name
        self.model = model
        self.region = region
        self.replicas = replicas
        self.input_per_minute = input_per_minute
        """Of one replica, as all capacities here."""
        self.output_per_minute = output_per_minute
        self.sequences = sequences
        self.kv_tokens = kv_tokens
        self.reservable_ppm = reservable_ppm
        self.reserved_only = reserved_only
        """Nothing but the lane is served (isolation)."""
        self.prefill_ns_per_token = prefill_ns_per_token
        self.decode_us_per_token = decode_us_per_token
        """Time between two tokens of one sequence when the replica is full: the slow end."""
        self.minimum_shares = minimum_shares
        """Band -> m of R14: what the tiers of the band that may come here keep of it, where that is
        something."""
        self.dns = dns
        """The name that ``replicas`` stand in for."""
        self.generic = generic
        """Its engine is ``openai``: some server of which no more is known than that it has that API."""

    def share(self, input_per_minute: int, output_per_minute: int) -> Ppm:
        """x = in/C_in + out/C_out of the whole pool (R8): prefill and decode share the machine."""
        count = max(1, len(self.replicas))
        return input_per_minute * MILLION // (
            self.input_per_minute * count
        ) + output_per_minute * MILLION // (self.output_per_minute * count)


class Tier:
    __slots__ = (
        "band",
        "counted",
        "downgrade_to",
        "gap_bounds",
        "holdback_ppm",
        "index",
        "max_depth",
        "max_wait",
        "name",
        "order",
        "overflow",
        "ramp",
        "service_tier",
        "shares_cache",
    )

    def __init__(
        self,
        index: int,
        name: str,
        service_tier: tuple[str, ...],
        band: int,
        max_wait: Micros,
        max_depth: int,
        order: QueueOrder,
        overflow: OverflowAction,
        downgrade_to: str | None,
        shares_cache: bool,
        holdback_ppm: Ppm,
        ramp: RampRecord | None,
        counted: tuple[ObjectiveRecord, ...],
        gap_bounds: tuple[Micros, ...],
    ) -> None:
        self.index = index
        self.name = name
        self.service_tier = service_tier
        self.band = band
        self.max_wait = max_wait
        self.max_depth = max_depth
        self.order = order
        self.overflow = overflow
        self.downgrade_to = downgrade_to
        self.shares_cache = shares_cache
        self.holdback_ppm = holdback_ppm
        self.ramp = ramp
        self.counted = counted
        """Promises that each of its requests is held against as it ends."""
        self.gap_bounds = gap_bounds
        """Times between tokens that some of them are about."""


class Route:
    __slots__ = (
        "bounds",
        "index",
        "least",
        "mirrors",
        "most",
        "name",
        "reaches",
        "record",
        "selective",
        "steered",
        "trials",
    )

    def __init__(
        self,
        index: int,
        name: str,
        record: RouteRecord,
        bounds: tuple[int, ...],
        selective: bool,
        steered: bool,
        trials: Mapping[str, GuardRecord],
        mirrors: tuple[tuple[str, int], ...],
        least: int,
        most: int,
        reaches: tuple[tuple[str, ...], ...],
    ) -> None:
        self.index = index
        self.name = name
        self.record = record
        self.bounds = bounds
        """Upper ends of the arms, scaled to 2**64 (R4); weight 0 is an empty arm."""
        self.selective = selective
        """It asks for a region, a session or headers, beside what a scope and a length say."""
        self.steered = steered
        """It does more with a request than send it to a replica: a second attempt beside a slow one, copies,
        a verdict on a canary."""
        self.trials = trials
        """Canaries that are watched: those with a guard, if there are other pools to fall back on."""
        self.mirrors = mirrors
        """Pools that get copies, each with the point on [0, 2**64) below which a request is copied."""
        self.least = least
        """Prompts of so many tokens are served, up to ..."""
        self.most = most
        """... less than so many."""
        self.reaches = reaches
        """Of each target, its pool and after it the fallbacks."""


class Scope:
    """Everything the policy says of one (tenant, tier, model), whatever the hour."""

    __slots__ = ("leaf_path", "model", "quotas", "routes", "tenant", "tier", "weights")

    def __init__(
        self,
        tenant: Tenant,
        tier: Tier,
        model: Model,
        quotas: tuple[Quota, ...],
        leaf_path: tuple[str, ...],
        weights: tuple[Ppm, ...],
        routes: tuple[Route, ...],
    ) -> None:
        self.tenant = tenant
        self.tier = tier
        self.model = model
        self.quotas = quotas
        """In scope along the tenant's path, outermost tenant first (R9)."""
        self.leaf_path = leaf_path
        """Nodes of the fairness tree below the root; an inner tenant ends with its own leaf."""
        self.weights = weights
        """phi of each node of ``leaf_path``."""
        self.routes = routes
        """That match but for the prompt's length, by rank."""


class Price:
    """Nano-units of money per token, before the tier's multiplier."""

    __slots__ = ("book", "cache_write", "cached", "multipliers", "output", "reasoning", "uncached")

    def __init__(
        self,
        book: str,
        uncached: int,
        cached: int,
        output: int,
        cache_write: int,
        reasoning: int,
        multipliers: dict[str, Ppm],
    ) -> None:
        self.book = book
        self.uncached = uncached
        self.cached = cached
        self.output = output
        self.cache_write = cache_write
        self.reasoning = reasoning
        self.multipliers = multipliers

    def under(self, tier: str) -> Tariff:
        return Tariff(
            self.uncached,
            self.cached,
            self.output,
            self.cache_write,
            self.reasoning,
            self.multipliers.get(tier, MILLION),
        )


class Tariff:
    """Nano-units of money per token, as one tier is billed."""

    __slots__ = ("cache_write", "cached", "multiplier", "output", "reasoning", "uncached")

    def __init__(
        self, uncached: int, cached: int, output: int, cache_write: int, reasoning: int, multiplier: Ppm
    ) -> None:
        self.uncached = uncached
        self.cached = cached
        self.output = output
        self.cache_write = cache_write
        self.reasoning = reasoning
        self.multiplier = multiplier

    def expected(self, uncached: int, cached: int, output: int) -> int:
        """Before anything is known of the two rarer classes."""
        nano = uncached * self.uncached + cached * self.cached + output * self.output
        return nano if self.multiplier == MILLION else nano * self.multiplier // MILLION

    def spend(self, uncached: int, cached: int, output: int, cache_write: int, reasoning: int) -> int:
        """Of so many tokens of each class."""
        nano = (
            uncached * self.uncached
            + cached * self.cached
            + cache_write * self.cache_write
            + output * self.output
            + reasoning * self.reasoning
        )
        return nano if self.multiplier == MILLION else nano * self.multiplier // MILLION


class Reserve:
    """What of a pool's stocks reservations in force keep, and what of it they lend (R19)."""

    __slots__ = ("kept_ppm", "lent")

    def __init__(self, kept_ppm: Ppm, lent: tuple[tuple[Micros, Ppm], ...]) -> None:
        self.kept_ppm = kept_ppm
        """Sum of x_r."""
        self.lent = lent
        """(reclaim_within, x_r) of the reservations that lend."""

    def without(self, residual: Micros) -> Ppm:
        """What is kept from a request that will be over in ``residual``: all but what is lent to it."""
        kept = self.kept_ppm
        for within, part in self.lent:
            if residual <= within:
                kept -= part
        return kept


class PoolInForce:
    """What is reserved of one pool in a segment."""

    __slots__ = ("lanes", "reserve")

    def __init__(
        self, lanes: Mapping[tuple[str, str], tuple[Reservation, ...]], reserve: Reserve | None
    ) -> None:
        self.lanes = lanes
        """(tier, tenant) -> reservations in force."""
        self.reserve = reserve
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


class Segment:
    """What is in force in [start, end): nothing in it changes before its end.

    What is reserved is looked at pool by pool, as each is asked for: of thousands of reservations a moment
    needs those of a few pools, and nobody waits for the others as a segment begins.
    """

    __slots__ = ("_pools", "end", "limits", "pledges", "prices", "reservations", "start")

    def __init__(
        self,
        start: Micros,
        end: Micros | None,
        reservations: Mapping[str, tuple[Reservation, ...]],
        prices: dict[str, Price],
        limits: Mapping[str, tuple[LimitRecord, ...]],
        pledges: Mapping[LimitKey, Pledge],
    ) -> None:
        self.start = start
        self.end = end
        self.reservations = reservations
        """Pool -> all its reservations, in force or not."""
        self.prices = prices
        self.limits = limits
        """Quota -> its limits as they are now, for quotas of which one is ever changed."""
        self.pledges = pledges
        """Of limits that tenants share, each one's part (R9)."""
        self._pools: dict[str, PoolInForce] = {}

    def under(
        self, limits: Mapping[str, tuple[LimitRecord, ...]], pledges: Mapping[LimitKey, Pledge]
    ) -> Segment:
        """The same with other limits."""
        made = Segment(self.start, self.end, self.reservations, self.prices, limits, pledges)
        made._pools = self._pools
        return made

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
