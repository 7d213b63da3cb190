"""The compiled form of a policy, object by object: what does a gateway need to know of each?

Records are what a bundle's ``program/`` shards hold. They carry names (integers are assigned at
load), integers only (no floats), times in microseconds since the epoch, fractions in parts per
million (suffix ``_ppm``), money in nano-units of the price book's currency.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Micros = int
"""Microseconds: a duration, or an instant since 1970-01-01T00:00:00Z."""
Ppm = int
"""Parts per million: 1_000_000 is one."""

MILLION: Final = 1_000_000

LimitOf = Literal["requests", "input_tokens", "output_tokens", "total_tokens", "spend"]
LimitPer = Literal["1m", "1h", "day", "month"]
OverflowAction = Literal["refuse", "queue", "spill", "downgrade"]
PlacedFor = Literal["prefix", "session", "load", "turn"]
"""Why a replica was chosen: what its cache holds, who lives there, the least to do, or its turn."""
QueueOrder = Literal["fcfs", "deadline", "las"]
PlacementStrategy = Literal[
    "balanced", "cache_first", "latency_first", "spread", "round_robin", "least_outstanding"
]


class Record(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False, gc=False
):
    """Base of every record: immutable, keyword-only, unknown fields refused.

    Nothing below one leads back to it, so the collector has no business there (``gc``): a policy holds some
    hundred thousand.

    A field that joins a record later has a default and is left out where it has it (``omit_defaults``): so a
    policy that does not use it keeps its bytes and its name, and a gateway that does not know it refuses.
    """


class CostVector(Record, frozen=True):
    """Fairness cost of one token of each class (R5), in ppm of one uncached input token."""

    uncached_input_ppm: Ppm
    cached_input_ppm: Ppm
    output_ppm: Ppm


class ModelRecord(Record, frozen=True, omit_defaults=True):
    name: str
    served_name: str
    aliases: tuple[str, ...]
    context_window: int
    max_output: int
    cost: CostVector
    adapters: tuple[str, ...] = ()
    """LoRA adapters; clients and engines call each by its name."""


class PoolCapacity(Record, frozen=True):
    """What one replica can do."""

    input_tokens_per_minute: int
    output_tokens_per_minute: int
    sequences: int
    kv_tokens: int


class AuthRecord(Record, frozen=True):
    """Where a gateway finds the key its replicas ask for: one of the two."""

    env: str | None
    file: str | None


class PoolRecord(Record, frozen=True, omit_defaults=True):
    name: str
    model: str
    region: str
    engine: str
    profile: str
    replicas: tuple[str, ...]
    """Base URLs, e.g. ``http://127.0.0.1:8101``."""
    capacity: PoolCapacity
    reservable_ppm: Ppm
    isolation: Literal["shared", "reserved_only"] = "shared"
    """``reserved_only`` serves the reservation lane and nothing else."""
    auth: AuthRecord | None = None
    dns: str | None = None
    """``host:port`` of a name that stands for the replicas. ``replicas`` then hold made-up URLs, as many as
    are planned with: whoever asks the DNS takes its answer instead of them."""


class TenantRecord(Record, frozen=True):
    name: str
    """Full path; the parent is the part before the last slash."""
    display_name: str
    tiers: tuple[str, ...]
    default_tier: str
    zone: str
    """IANA zone for calendar limits."""
    labels: dict[str, str]


class Overflow(Record, frozen=True):
    """What happens when this object has no room (R12). Only ``downgrade`` names a tier."""

    action: OverflowAction
    tier: str | None


class TierQueue(Record, frozen=True, omit_defaults=True):
    max_wait: Micros
    max_depth: int
    """Requests waiting per (pool, band)."""
    order: QueueOrder = "fcfs"
    """Who goes first within a tenant (R17)."""


class RampRecord(Record, frozen=True):
    """How fast a tenant's use of a tier may grow (R10)."""

    growth_ppm: Ppm
    per: Micros
    """Over how long the mean is taken that it grows from."""
    floor: int
    """Tokens per minute that are always allowed."""


class LengthRecord(Record, frozen=True):
    """Of prompts with so many tokens to compute, both ends included."""

    min: int
    max: int | None


class ObjectiveRecord(Record, frozen=True, omit_defaults=True):
    """What a tier promises that only a gateway can tell: of the time to the first token, which reservations
    build on, of prompts of some lengths, and of deadlines. The rest is read off what a tier measures anyway.
    """

    metric: Literal["ttft", "itl", "tpot", "e2e", "deadline"]
    target: Micros
    """Of a deadline: for requests that name none of their own."""
    percentile: int | None = None
    """Millionths of a percent."""
    uncached_input: LengthRecord | None = None

    def covers(self, uncached: int) -> bool:
        length = self.uncached_input
        if length is None:
            return True
        return length.min <= uncached and (length.max is None or uncached <= length.max)

    @property
    def counted(self) -> bool:
        """Whether it is counted request by request: no sketch of the tier's could tell."""
        return self.uncached_input is not None or self.metric == "deadline"

    @property
    def key(self) -> str:
        """Names what is counted for it, whatever the percentile: ``ttft 400000us 0..8000 tokens``."""
        length = self.uncached_input
        of = "" if length is None else f" {length.min}..{'' if length.max is None else length.max} tokens"
        return f"{self.metric} {self.target}us{of}"


class TierRecord(Record, frozen=True, omit_defaults=True):
    name: str
    service_tier: tuple[str, ...]
    """Names a client may send as ``service_tier``; the first is the one answered with."""
    band: int
    """Higher goes first."""
    queue: TierQueue
    overflow: Overflow
    cache_sharing: Literal["tenant", "pool"]
    minimum_share_ppm: Ppm = 0
    """What its band keeps of a pool under pressure from higher ones (R14)."""
    holdback_ppm: Ppm = 0
    """Part of each stock of a pool (sequences, KV tokens) it leaves free (R19)."""
    ramp: RampRecord | None = None
    objectives: tuple[ObjectiveRecord, ...] = ()


class BurnVector(Record, frozen=True, omit_defaults=True):
    """How much of a reservation one token of each class burns (R5)."""

    uncached_input_ppm: Ppm
    cached_input_ppm: Ppm
    output_ppm: Ppm
    cache_write_ppm: Ppm | None = None
    """As an uncached one when absent: it had to be computed too."""
    reasoning_ppm: Ppm | None = None
    """As one of output when absent."""

    @property
    def cache_write(self) -> Ppm:
        return self.uncached_input_ppm if self.cache_write_ppm is None else self.cache_write_ppm

    @property
    def reasoning(self) -> Ppm:
        return self.output_ppm if self.reasoning_ppm is None else self.reasoning_ppm


class PortionRecord(Record, frozen=True):
    """What one pool promises of a reservation."""

    pool: str
    input_tokens_per_minute: int
    output_tokens_per_minute: int


class ReservationRecord(Record, frozen=True, omit_defaults=True):
    name: str
    tenant: str
    tier: str
    portions: tuple[PortionRecord, ...]
    """At least one; by pool, each once."""
    burn: BurnVector
    intervals: tuple[tuple[Micros, Micros | None], ...]
    """Half-open UTC intervals in which it is effective, sorted, disjoint; ``None`` = open end."""
    enforcement_window: Micros
    overflow: Overflow
    lend_when_idle: bool = True
    """Whether others may use what its holder does not (R19)."""
    reclaim_within: Micros = MILLION
    """How soon what was lent must be back: only requests that will be over by then are lent to."""


class ScheduledRecord(Record, frozen=True):
    """Another limit for some stretches of time."""

    intervals: tuple[tuple[Micros, Micros | None], ...]
    """Half-open, in UTC, sorted, disjoint; ``None`` = open end."""
    limit: int


class LimitRecord(Record, frozen=True, omit_defaults=True):
    """At most so much in a period. Amounts in requests, tokens, or nano-units of money, by ``of``."""

    of: LimitOf
    per: LimitPer
    limit: int
    guaranteed: int | None = None
    """What the parent keeps for it, used or not (R9)."""
    borrow: int | None = None
    """The most beyond ``guaranteed``; whatever ``limit`` allows when absent."""
    lend: int | None = None
    """Of what is guaranteed, what others may take while it is idle."""
    shadow: bool = False
    """Counted, and never enforced."""
    scheduled: tuple[ScheduledRecord, ...] = ()
    """Changes of ``limit``; no two at once."""

    @property
    def ceiling(self) -> int:
        """The most that may ever be used: ``limit``, or what is guaranteed with what may be borrowed."""
        if self.guaranteed is None or self.borrow is None:
            return self.limit
        return min(self.limit, self.guaranteed + self.borrow)


class LoopGuardRecord(Record, frozen=True):
    repeats: int
    """After so many equal last calls in a row."""
    then: Literal["refuse", "slow"]


class GuardsRecord(Record, frozen=True, omit_defaults=True):
    """The most that one run or session may use; None: nothing limits it."""

    tokens: int | None = None
    steps: int | None = None
    wall_time: Micros | None = None
    branches: int | None = None
    loop_guard: LoopGuardRecord | None = None


class CapsRecord(Record, frozen=True, omit_defaults=True):
    """The most that a tenant's requests may occupy; None: nothing limits it."""

    sequences: int | None = None
    """Of one pool, as the next."""
    kv_share_ppm: Ppm | None = None
    bytes: int | None = None
    """Of all requests in progress at one gateway."""


class DelegationRecord(Record, frozen=True, omit_defaults=True):
    """What a tenant's own administrators may change of the tenants below it."""

    weight: bool = False
    limits: bool = False
    keys: bool = False
    """For the console to keep: a gateway takes any key that the directory names."""

    @property
    def rights(self) -> frozenset[str]:
        """Those that are given, by their names."""
        return frozenset(name for name in self.__struct_fields__ if getattr(self, name))


class QuotaRecord(Record, frozen=True, omit_defaults=True):
    name: str
    tenant: str
    tiers: tuple[str, ...]
    """Scope; empty means every tier."""
    models: tuple[str, ...]
    """Scope; empty means every model."""
    weight_ppm: Ppm
    limits: tuple[LimitRecord, ...]
    concurrency: int | None
    session: GuardsRecord | None = None
    run: GuardsRecord | None = None
    caps: CapsRecord | None = None
    delegation: DelegationRecord | None = None
    """None: nothing."""


class PriceEntry(Record, frozen=True, omit_defaults=True):
    model: str
    start: Micros
    """Effective from this instant until the model's next entry."""
    uncached_input_nano: int
    """Nano-units of money per token."""
    cached_input_nano: int
    output_nano: int
    cache_write_nano: int | None = None
    """As an uncached one when absent."""
    reasoning_nano: int | None = None
    """As one of output when absent."""


class PriceBookRecord(Record, frozen=True):
    name: str
    currency: str
    entries: tuple[PriceEntry, ...]
    tier_multipliers_ppm: dict[str, Ppm]


class RouteMatch(Record, frozen=True, omit_defaults=True):
    """Empty tuples match everything; prompt tokens are matched as ``min <= n < max``."""

    models: tuple[str, ...]
    tiers: tuple[str, ...]
    tenants: tuple[str, ...]
    """Tenant paths; a tenant's descendants match too."""
    prompt_tokens_min: int
    prompt_tokens_max: int | None
    regions: tuple[str, ...] = ()
    """Of the gateway the request came to."""
    session: bool | None = None
    """Whether the request must, or must not, name a session."""
    headers: dict[str, str] = {}
    """Small letters -> the exact value it must have."""


class GuardRecord(Record, frozen=True):
    """When a canary gets no more traffic."""

    errors_ppm: Ppm
    """Share of failed requests that is too much."""
    slower_ppm: Ppm
    """How much slower than the others is too slow."""
    over: Micros
    """Over how long both are measured."""


class RouteTarget(Record, frozen=True, omit_defaults=True):
    pool: str
    weight: int
    canary: bool = False
    guard: GuardRecord | None = None
    mirror_ppm: Ppm = 0
    """Part of the route's requests of which a copy is sent there."""


class Placement(Record, frozen=True, omit_defaults=True):
    strategy: PlacementStrategy
    release_after: Micros
    """How much longer a home may take than the quickest replica before it is given up (R20)."""
    scorers: dict[str, Ppm] = {}
    """Weights of what speaks for a replica; in place of ``strategy`` when there are any (R21)."""
    sticky_for: Micros = 0
    """How long a session keeps its replica without a cached prefix there."""
    max_imbalance_ppm: Ppm | None = None
    """How many times the least load a replica may have that is preferred for what is there."""


class Timeouts(Record, frozen=True):
    first_byte: Micros
    total: Micros


class Retries(Record, frozen=True):
    attempts: int
    """Further attempts after the first."""
    on: tuple[Literal["connect", "status_503"], ...]


class HedgingRecord(Record, frozen=True):
    """A second attempt beside a slow first one."""

    after: Micros
    """How long the first may take to its first byte."""
    most_ppm: Ppm
    """Share of requests that may be tried twice."""


class RouteRecord(Record, frozen=True, omit_defaults=True):
    name: str
    rank: int
    match: RouteMatch
    targets: tuple[RouteTarget, ...]
    placement: Placement
    fallback: tuple[str, ...]
    """Pools tried in order when the targets have no room."""
    timeouts: Timeouts
    retries: Retries
    hedging: HedgingRecord | None = None


class ReplicaLoad(Record, frozen=True, omit_defaults=True):
    """How one replica is as a request arrives."""

    url: str
    load_ppm: Ppm
    """How much of its sequences and KV cache is in use."""
    healthy: bool
    backlog: Micros = 0
    """Prefill it has yet to do."""
    cached_tokens: int = 0
    """Of the request's prompt, from its beginning, what its cache holds."""
    session: bool = False
    """The last request of the request's session went there."""


class PoolLoad(Record, frozen=True, omit_defaults=True):
    """How the replicas of a pool are as a request arrives."""

    pool: str
    load_ppm: Ppm
    """How much of their sequences and KV cache is in use."""
    healthy: bool
    backlog: Micros = 0
    """Prefill that each of them has yet to do."""
    replicas: tuple[ReplicaLoad, ...] = ()
    """Those that are otherwise, by URL."""


class VectorRequest(Record, frozen=True):
    """A request put to the policy by a self-test."""

    tenant: str
    service_tier: str
    model: str
    prompt_tokens: int
    at: Micros
    max_tokens: int | None = None
    served: int = 0
    """Equal requests of the same instant that are over."""
    running: int = 0
    """Equal requests that are being served."""
    fleet: tuple[PoolLoad, ...] = ()
    """By pool, sorted; the others are idle."""


class VectorExpect(Record, frozen=True, omit_defaults=True):
    """What must come out. Where a request is placed is asked only where an author said so."""

    verdict: Literal["admit", "queue", "refuse"]
    code: str | None
    tier: str | None
    pool: str | None
    route: str | None
    reservation: Literal["used", "spilled", "none"]
    wait_at_most: Micros | None = None
    """The longest that the gateway may expect it to wait for a replica."""
    replica: str | None = None
    because: PlacedFor | None = None


class Vector(Record, frozen=True):
    """One self-test: a gateway runs every one of them before it activates a bundle."""

    name: str
    request: VectorRequest
    expect: VectorExpect


class ProgramRecords(Record, frozen=True):
    """A whole compiled policy, each tuple sorted by name."""

    environment: str
    at: Micros
    """Start of the timeline."""
    models: tuple[ModelRecord, ...]
    pools: tuple[PoolRecord, ...]
    tenants: tuple[TenantRecord, ...]
    tiers: tuple[TierRecord, ...]
    reservations: tuple[ReservationRecord, ...]
    quotas: tuple[QuotaRecord, ...]
    price_books: tuple[PriceBookRecord, ...]
    routes: tuple[RouteRecord, ...]
