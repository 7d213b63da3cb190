"""What of the limits must outlive a restart, and how is it put back? (R26)

Limits per hour, day and month. What is remembered is what was *used*: holds of requests still open are
left out, since a restart learns of those attempts from the journal. Minutes are not worth it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from coordination.program.records import Micros
from coordination.scheduling.lending import KEPT, POOL, THROUGH, meter_key
from coordination.scheduling.limits import Gcra, MeterKey, QuotaMeter, quota_key, quota_meter
from coordination.scheduling.scopes import SPEND, Amounts
from coordination.scheduling.state import State
from coordination.scheduling.values import Usage

LASTING: Final = frozenset({"1h", "day", "month"})


class Remembered(NamedTuple):
    """A meter as it was at an instant."""

    key: MeterKey
    since: Micros
    """Start of its day or month; the instant itself for a rate by the hour."""
    used: int
    """Units; for a rate by the hour, its level in units times microseconds."""


class Used(NamedTuple):
    """What one attempt used that ended after that."""

    tenant: str
    model: str
    tier: str
    by_lane: bool
    usage: Usage
    spend_nano: int | None
    """None: by the prices in force when it began."""
    started_at: Micros
    ended_at: Micros


def remember(state: State, now: Micros) -> list[Remembered]:
    """Every meter that was used since the last call, without what is held for open requests."""
    held: Counter[int] = Counter()
    for ticket in state.open:
        rates = ticket.lane is None
        for meter, amount in ticket.chain.lasting_holds(ticket.amounts, rates, ticket.drawn):
            if isinstance(meter, Gcra):
                held[id(meter)] += amount * meter.period
            elif ticket.enqueued >= meter.start:
                held[id(meter)] += amount
    meters = {id(meter): meter for chain in state.touched for meter in chain.lasting_meters()}
    meters |= {id(meter): meter for key, meter in state.credited.items() if key[3] in LASTING}
    state.touched = {ticket.chain for ticket in state.open}
    state.credited = {}
    return [_remembered(meter, held[id(meter)], now) for meter in meters.values()]


def restore(state: State, remembered: Iterable[Remembered], now: Micros) -> int:
    """Put back what was so, as far as the policy still has it. Returns how many meters."""
    known = _lasting_limits(state)
    restored = 0
    for key, since, used in remembered:
        found = known.get(key)
        if found is None:
            continue
        limit, zone, shared = found
        where = state.shares if shared else state.meters
        meter = where.get(key)
        if meter is None:
            meter = where[key] = quota_meter(key, key[3], limit, zone, now)  # type: ignore[arg-type]
        if isinstance(meter, Gcra):
            meter.empty_at = max(meter.empty_at, since * meter.limit + used)
        elif meter.start <= since < meter.end:
            meter.used = used
        restored += 1
    return restored


def recount(state: State, attempts: Iterable[Used], now: Micros) -> int:
    """Count what was used after that. Returns how many attempts the policy still has limits for."""
    counted = 0
    for one in attempts:
        try:
            chain = state.plan(state.program, one.tenant, one.tier, one.model, now).chain
        except KeyError:
            continue
        spend = one.spend_nano
        if spend is None:
            price = state.program.segment_at(one.started_at).prices.get(one.model)
            spend = 0 if price is None else price.under(one.tier).spend(*one.usage.counts())
        read, made = one.usage.computed + one.usage.cached_input, one.usage.generated
        amounts: Amounts = (1, read, made, read + made, spend)
        for dimension, meter in chain.lasting:
            if dimension == SPEND or not one.by_lane:
                _count(meter, amounts[dimension], one)
        for path in chain.lasting_paths:
            charged = path.dimension == SPEND or not one.by_lane
            if charged and one.started_at >= _start(path.tenancies[0].pool):
                path.take(amounts[path.dimension], max(one.ended_at, now))
        if chain.lasting:
            counted += 1
            state.touched.add(chain)
    return counted


def _remembered(meter: QuotaMeter, held: int, now: Micros) -> Remembered:
    if isinstance(meter, Gcra):
        return Remembered(meter.key, now, max(0, meter.empty_at - now * meter.limit - held))
    meter.remaining(now)  # a period that is over ends here
    return Remembered(meter.key, meter.start, meter.used - held)


def _count(meter: QuotaMeter, amount: int, one: Used) -> None:
    if isinstance(meter, Gcra):
        meter.take(amount, one.ended_at)
    elif one.started_at >= meter.start:
        meter.used += amount


def _start(meter: QuotaMeter) -> Micros:
    return 0 if isinstance(meter, Gcra) else meter.start


def _lasting_limits(state: State) -> dict[MeterKey, tuple[int, str, bool]]:
    """Key -> size, zone, and whether it is a part of a limit that tenants share."""
    program, segment = state.program, state.segment
    found: dict[MeterKey, tuple[int, str, bool]] = {}
    for quota in program.quotas.values():
        for limit in segment.limits_of(quota):
            if limit.per in LASTING:
                key = quota_key(quota.name, limit.of, limit.per)
                found[key] = (state.raised_to(key, limit.ceiling), quota.zone, False)
    for pledge in segment.pledges.values():
        if pledge.per in LASTING:
            zone = program.quotas[pledge.quota].zone
            for kind, size in ((POOL, pledge.pool), (KEPT, pledge.kept), (THROUGH, pledge.through or 0)):
                found[meter_key(kind, pledge)] = (size, zone, True)
    return found
