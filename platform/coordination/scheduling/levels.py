"""How full are a tenant's limits and reservations right now, and when are they empty again?

Reads only: what has never been used has no meter yet, and asking makes none.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordination.program.records import MILLION, Micros
from coordination.scheduling.limits import Gcra, quota_key
from coordination.scheduling.reservations import burst_of
from coordination.scheduling.state import State


@dataclass(frozen=True, slots=True)
class LimitLevel:
    """One limit of one quota. Amounts in requests, tokens or nano-units of money, by ``of``."""

    quota: str
    tenant: str
    of: str
    per: str
    limit: int
    used: int
    reset_us: int
    """Until nothing of it is in use, if nothing more comes."""


@dataclass(frozen=True, slots=True)
class Places:
    """Requests in progress under a ceiling of them."""

    quota: str
    tenant: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class LaneLevel:
    """How much of what a reservation allows at once is used, in millionths."""

    reservation: str
    tenant: str
    in_force: bool
    input_ppm: int
    output_ppm: int


@dataclass(frozen=True, slots=True)
class Levels:
    limits: tuple[LimitLevel, ...]
    concurrency: tuple[Places, ...]
    reservations: tuple[LaneLevel, ...]


def levels(state: State, tenant: str, now: Micros) -> Levels:
    """Of ``tenant`` and of all below it; empty for a tenant the policy lacks."""
    program = state.program
    limits: list[LimitLevel] = []
    places: list[Places] = []
    for quota in program.quotas_within(tenant):
        for limit in quota.limits:
            meter = state.meters.get(quota_key(quota.name, limit.of, limit.per))
            used = limit.limit - meter.remaining(now) if meter else 0
            reset = meter.reset(now) if meter and used else 0
            limits.append(LimitLevel(quota.name, quota.tenant, limit.of, limit.per, limit.limit, used, reset))
        if quota.concurrency is not None:
            slots = state.slots.get(quota.name)
            places.append(Places(quota.name, quota.tenant, slots.used if slots else 0, quota.concurrency))
    in_force = {held.name for lanes in state.at(now).lanes.values() for held in lanes}
    lanes: list[LaneLevel] = []
    for held in program.reservations_within(tenant):
        buckets = state.lanes.get(held.name)
        window = held.record.enforcement_window
        sides = (
            (buckets.input if buckets else None, held.record.input_tokens_per_minute),
            (buckets.output if buckets else None, held.record.output_tokens_per_minute),
        )
        taken, made = (_part(bucket, burst_of(rate, window), now) for bucket, rate in sides)
        lanes.append(LaneLevel(held.name, held.tenant, held.name in in_force, taken, made))
    return Levels(tuple(limits), tuple(places), tuple(lanes))


def _part(bucket: Gcra | None, burst: int, now: Micros) -> int:
    """Of a bucket's burst, in millionths."""
    if bucket is None or not burst:
        return 0
    return (burst - min(burst, bucket.remaining(now))) * MILLION // burst
