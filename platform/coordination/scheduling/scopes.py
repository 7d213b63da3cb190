"""Which meters does a request of this tenant, tier and model pass? (R7, R9)"""

from __future__ import annotations

from typing import Final

from coordination.program.index import Scope
from coordination.program.records import Micros
from coordination.scheduling.limits import CalendarCounter, Gcra, MeterKey, Slots, quota_key, quota_meter

Amounts = tuple[int, int, int, int, int]
"""Requests, input tokens, output tokens, total tokens, spend in nano-units."""

DIMENSION: Final[dict[str, int]] = {
    "requests": 0,
    "input_tokens": 1,
    "output_tokens": 2,
    "total_tokens": 3,
    "spend": 4,
}
SPEND: Final = DIMENSION["spend"]

QuotaMeter = Gcra | CalendarCounter


class Chain:
    """A scope's ceilings, every one on the tenant's path: all need room (R9 without guarantees)."""

    __slots__ = ("labels", "rates", "requests", "slots", "spends", "tokens")

    def __init__(
        self,
        slots: tuple[Slots, ...],
        spends: tuple[QuotaMeter, ...],
        rates: tuple[tuple[int, QuotaMeter], ...],
    ) -> None:
        self.slots = slots
        self.spends = spends
        self.rates = rates
        """With the position of each meter's dimension in ``Amounts``."""
        self.requests = tuple([meter for dimension, meter in rates if not dimension])
        self.tokens = tuple([meter for dimension, meter in rates if dimension])
        """What of the rates limits requests, and what limits tokens of any class."""
        self.labels = tuple([f"{m.key[1]}: {m.key[2]} per {m.key[3]}" for _, m in rates])

    def take(self, amounts: Amounts, rates: bool, now: Micros) -> None:
        """Hold ``amounts``; a lane request leaves the rate limits alone (R8)."""
        for slots in self.slots:
            slots.used += 1
        for meter in self.spends:
            meter.take(amounts[SPEND], now)
        if rates:
            for dimension, meter in self.rates:
                meter.take(amounts[dimension], now)

    def correct(self, delta: Amounts, rates: bool, taken_at: Micros, now: Micros) -> None:
        for meter in self.spends:
            meter.correct(delta[SPEND], taken_at, now)
        if rates:
            for dimension, meter in self.rates:
                change = delta[dimension]
                if change:
                    meter.correct(change, taken_at, now)

    def release(self) -> None:
        """The request is over: its places under the concurrency ceilings are free."""
        for slots in self.slots:
            slots.used -= 1


def build_chain(
    scope: Scope, meters: dict[MeterKey, QuotaMeter], slots: dict[str, Slots], now: Micros
) -> Chain:
    """Find or make the meters of a scope. They are shared by every scope under the same quota."""
    ceilings: list[Slots] = []
    spends: list[QuotaMeter] = []
    rates: list[tuple[int, QuotaMeter]] = []
    for quota in scope.quotas:
        if quota.concurrency is not None:
            held = slots.get(quota.name)
            if held is None:
                held = slots[quota.name] = Slots(quota.name, quota.concurrency)
            ceilings.append(held)
        for limit in quota.limits:
            key = quota_key(quota.name, limit.of, limit.per)
            meter = meters.get(key)
            if meter is None:
                meter = meters[key] = quota_meter(
                    quota.name, limit.of, limit.per, limit.limit, quota.zone, now
                )
            if limit.of == "spend":
                spends.append(meter)
            else:
                rates.append((DIMENSION[limit.of], meter))
    return Chain(tuple(ceilings), tuple(spends), tuple(rates))
