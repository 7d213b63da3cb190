"""How full are a tenant's limits and reservations right now, and when are they empty again?

Reads only: what has never been used has no meter yet, and asking makes none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coordination.program.guarantees import Pledge
from coordination.program.index import Reservation
from coordination.program.records import MILLION, LimitRecord, Micros
from coordination.scheduling.lending import POOL, THROUGH, meter_key
from coordination.scheduling.limits import NEVER, Gcra, quota_key
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
    shadow: bool = False
    """Counted only."""
    would_refuse: int = 0
    """Requests since the start that a limit in shadow would have refused."""
    guaranteed: int | None = None
    """Its part of a limit that tenants share (R9); None where nobody's part is stated."""
    remaining: int | None = None
    """Of such a limit, the most that may pass now, what others leave included."""


@dataclass(frozen=True, slots=True)
class Places:
    """Requests in progress under a ceiling of them."""

    quota: str
    tenant: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class CapLevel:
    """What a tenant's requests occupy, of what they may."""

    quota: str
    tenant: str
    pool: str
    """Empty for bytes, which are counted over all pools."""
    of: str
    """``sequences``, ``kv_tokens`` or ``bytes``."""
    used: int
    """Held by requests that run, or that may run next."""
    limit: int
    aside: int
    """Requests that stand aside for it."""


@dataclass(frozen=True, slots=True)
class LaneLevel:
    """How much of what a reservation allows at once is used, in millionths."""

    reservation: str
    tenant: str
    in_force: bool
    input_ppm: int
    output_ppm: int
    left_ppm: int = MILLION
    """How much of the promise lost capacity leaves; on the worst of its pools."""
    shortfall: int = 0
    """Requests since the start, within the promise, that lost capacity kept from the lane."""
    promised: int = 0
    """Requests since the start that were promised their first byte in time (R8)."""
    honoured: int = 0
    """Of these, those that had it in time."""


@dataclass(frozen=True, slots=True)
class Levels:
    limits: tuple[LimitLevel, ...]
    concurrency: tuple[Places, ...]
    reservations: tuple[LaneLevel, ...]
    caps: tuple[CapLevel, ...] = ()


def levels(state: State, tenant: str, now: Micros) -> Levels:
    """Of ``tenant`` and of all below it; empty for a tenant the policy lacks."""
    program, segment = state.program, state.at(now)
    limits: list[LimitLevel] = []
    places: list[Places] = []
    for quota in program.quotas_within(tenant):
        for limit in segment.limits_of(quota):
            key = quota_key(quota.name, limit.of, limit.per)
            meter = state.meters.get(key)
            ceiling = state.raised_to(key, limit.ceiling)
            used = max(0, ceiling - meter.remaining(now)) if meter else 0
            reset = meter.reset(now) if meter and used else 0
            refused = state.shadowed.get(key, 0)
            guaranteed, remaining = _part_of(state, quota.name, limit, now)
            level = LimitLevel(
                quota.name,
                quota.tenant,
                limit.of,
                limit.per,
                ceiling,
                used,
                reset,
                limit.shadow,
                refused,
                guaranteed,
                remaining,
            )
            limits.append(level)
        if quota.concurrency is not None:
            slots = state.slots.get(quota.name)
            places.append(Places(quota.name, quota.tenant, slots.used if slots else 0, quota.concurrency))
    held = program.reservations_within(tenant)
    in_force = {each.name for each in segment.in_force(held)}
    lanes = [
        LaneLevel(
            name,
            portions[0].tenant,
            name in in_force,
            *_parts(state, portions, now),
            left_ppm=min(
                state.lanes[p.key].factor_ppm if p.key in state.lanes else MILLION for p in portions
            ),
            shortfall=state.shortfalls.get(name, 0),
            promised=state.kept[name].promised if name in state.kept else 0,
            honoured=state.kept[name].honoured if name in state.kept else 0,
        )
        for name, portions in _by_name(held).items()
    ]
    caps = [
        CapLevel(quota, program.quotas[quota].tenant, pool, of, cap.used, cap.limit, len(cap.aside))
        for (quota, pool, of), cap in sorted(state.caps.items())
        if quota in program.quotas and f"{program.quotas[quota].tenant}/".startswith(f"{tenant}/")
    ]
    return Levels(tuple(limits), tuple(places), tuple(lanes), tuple(caps))


def _part_of(state: State, quota: str, limit: LimitRecord, now: Micros) -> tuple[int | None, int | None]:
    """What is guaranteed to the tenant, and the most that may pass: of what it has, or of one above."""
    pledge = state.at(now).pledges.get((quota, limit.of, limit.per))
    if pledge is None:
        return None, None
    most, through, one = 0, NEVER, pledge
    while True:
        most = max(most, min(through, _left(state, POOL, one, one.pool, now)))
        if one.parent is None:
            return pledge.guaranteed, most
        if one.through is not None:
            through = min(through, _left(state, THROUGH, one, one.through, now))
        one = one.parent


def _left(state: State, kind: str, pledge: Pledge, size: int, now: Micros) -> int:
    meter = state.shares.get(meter_key(kind, pledge))
    return size if meter is None else meter.remaining(now)


def _by_name(held: Iterable[Reservation]) -> dict[str, list[Reservation]]:
    """A reservation's portions on several pools are one to its holder."""
    found: dict[str, list[Reservation]] = {}
    for each in held:
        found.setdefault(each.name, []).append(each)
    return found


def _parts(state: State, portions: Iterable[Reservation], now: Micros) -> tuple[int, int]:
    """Of what a reservation allows at once, how much is in use on all its pools together."""
    used, most = [0, 0], [0, 0]
    for held in portions:
        buckets = state.lanes.get(held.key)
        sides: tuple[tuple[Gcra | None, int], ...] = (
            (buckets.input if buckets else None, held.input_per_minute),
            (buckets.output if buckets else None, held.output_per_minute),
        )
        for i, (bucket, rate) in enumerate(sides):
            burst = burst_of(rate, held.record.enforcement_window)
            most[i] += burst
            used[i] += _used(bucket, burst, now)
    return _part(used[0], most[0]), _part(used[1], most[1])


def _used(bucket: Gcra | None, burst: int, now: Micros) -> int:
    return 0 if bucket is None else burst - min(burst, bucket.remaining(now))


def _part(used: int, burst: int) -> int:
    """Of a burst, in millionths."""
    return used * MILLION // burst if burst else 0
