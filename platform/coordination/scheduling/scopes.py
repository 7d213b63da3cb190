"""Which meters does a request of this tenant, tier and model pass? (R7, R9)"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from coordination.program.guarantees import Pledge
from coordination.program.index import Program, Quota, Scope, Segment
from coordination.program.records import Micros
from coordination.scheduling.caps import WAITED_FOR, Cap, CapKey, find, part_of
from coordination.scheduling.lending import Parts, Path, meter_key
from coordination.scheduling.limits import MeterKey, QuotaMeter, Slots, quota_key, quota_meter
from coordination.scheduling.ramps import Ramp
from coordination.scheduling.runs import Guard

Amounts = tuple[int, int, int, int, int]
"""Requests, input tokens, output tokens, total tokens, spend in nano-units."""

DIMENSION: Final[dict[str, int]] = {
    "requests": 0,
    "input_tokens": 1,
    "output_tokens": 2,
    "total_tokens": 3,
    "spend": 4,
}
TOTAL: Final = DIMENSION["total_tokens"]
SPEND: Final = DIMENSION["spend"]
Dimensioned = tuple[tuple[int, QuotaMeter], ...]
"""Meters with the position of each one's dimension in ``Amounts``."""


class Drawn:
    """What a request uses beside ceilings: parts of shared limits, limits in shadow, its tier's ramp."""

    __slots__ = ("parts", "ramp", "shadows")

    def __init__(self, parts: list[tuple[Path, Parts]], shadows: Dimensioned, ramp: Ramp | None) -> None:
        self.parts = parts
        self.ramp = ramp
        self.shadows = shadows
        """Those that would have let it in: what they would have refused they do not count."""

    def correct(self, delta: Amounts, taken_at: Micros, now: Micros) -> None:
        for path, parts in self.parts:
            change = delta[path.dimension]
            if change:
                path.correct(parts, change, taken_at, now)
        for dimension, meter in self.shadows:
            change = delta[dimension]
            if change:
                meter.correct(change, taken_at, now)
        if self.ramp is not None and delta[TOTAL]:
            self.ramp.correct(delta[TOTAL], taken_at, now)


class Chain:
    """A scope's limits, every one on the tenant's path: all need room (R9)."""

    __slots__ = (
        "caps",
        "guards",
        "labels",
        "lasting",
        "lasting_paths",
        "ramp",
        "rates",
        "requests",
        "shadows",
        "shared",
        "shared_spends",
        "simple",
        "sized",
        "slots",
        "spends",
        "tokens",
    )

    def __init__(
        self,
        slots: tuple[Slots, ...],
        spends: tuple[QuotaMeter, ...],
        rates: Dimensioned,
        paths: tuple[Path, ...] = (),
        shadows: Dimensioned = (),
        ramp: Ramp | None = None,
        guards: tuple[Guard, ...] = (),
        caps: tuple[Quota, ...] = (),
        sized: tuple[Cap, ...] = (),
    ) -> None:
        self.caps = caps
        """Quotas that cap what their requests occupy in one pool (R19)."""
        self.sized = sized
        """Caps of the bytes that a gateway keeps."""
        self.guards = guards
        """Of runs and sessions (R7)."""
        self.ramp = ramp
        self.slots = slots
        self.spends = spends
        self.rates = rates
        self.shared = tuple([path for path in paths if path.dimension != SPEND])
        """Of the rates, those of which somebody on a path is guaranteed a part."""
        self.shared_spends = tuple([path for path in paths if path.dimension == SPEND])
        self.shadows = shadows
        self.lasting = tuple([one for one in rates if one[1].key[3] != "1m"]) + tuple(
            [(SPEND, meter) for meter in spends if meter.key[3] != "1m"]
        )
        """Of all these, what a restart must not forget (R26)."""
        self.lasting_paths = tuple([one for one in paths if one.tenancies[0].pledge.per != "1m"])
        self.simple = not paths and not shadows and ramp is None
        """Ceilings say it all: nothing else is kept of a request."""
        self.requests = tuple([meter for dimension, meter in rates if not dimension])
        self.tokens = tuple([meter for dimension, meter in rates if dimension])
        """What of the rates limits requests, and what limits tokens of any class."""
        self.labels = tuple([f"{m.key[1]}: {m.key[2]} per {m.key[3]}" for _, m in rates])

    def would_refuse(self, amounts: Amounts, rates: bool, now: Micros) -> list[tuple[int, QuotaMeter]]:
        """Limits in shadow that have no room."""
        return [
            (dimension, meter)
            for dimension, meter in self.shadows
            if (rates or dimension == SPEND) and meter.room(amounts[dimension], now) < 0
        ]

    def take(self, amounts: Amounts, rates: bool, now: Micros) -> Drawn | None:
        """Hold ``amounts``; a lane request leaves the rate limits alone (R8)."""
        for slots in self.slots:
            slots.used += 1
        for meter in self.spends:
            meter.take(amounts[SPEND], now)
        if rates:
            for dimension, meter in self.rates:
                meter.take(amounts[dimension], now)
        return None if self.simple else self._draw(amounts, rates, now)

    def correct(
        self, delta: Amounts, rates: bool, taken_at: Micros, now: Micros, drawn: Drawn | None
    ) -> None:
        for meter in self.spends:
            meter.correct(delta[SPEND], taken_at, now)
        if rates:
            for dimension, meter in self.rates:
                change = delta[dimension]
                if change:
                    meter.correct(change, taken_at, now)
        if drawn is not None:
            drawn.correct(delta, taken_at, now)

    def lasting_meters(self) -> Iterator[QuotaMeter]:
        for _, meter in self.lasting:
            yield meter
        for path in self.lasting_paths:
            yield from path.meters()

    def lasting_holds(
        self, amounts: Amounts, rates: bool, drawn: Drawn | None
    ) -> Iterator[tuple[QuotaMeter, int]]:
        """What a request has taken of what lasts."""
        for dimension, meter in self.lasting:
            if rates or dimension == SPEND:
                yield meter, amounts[dimension]
        for path, parts in drawn.parts if drawn is not None else ():
            if path in self.lasting_paths:
                yield from path.holds(parts)

    def release(self, size: int) -> None:
        """The request is over: its places under the concurrency ceilings are free, and its bytes."""
        for slots in self.slots:
            slots.used -= 1
        for cap in self.sized:
            cap.used -= size

    def _draw(self, amounts: Amounts, rates: bool, now: Micros) -> Drawn:
        paths = (*self.shared, *self.shared_spends) if rates else self.shared_spends
        parts = [(path, path.take(amounts[path.dimension], now)) for path in paths]
        counted: list[tuple[int, QuotaMeter]] = []
        for dimension, meter in self.shadows:
            amount = amounts[dimension]
            if (rates or dimension == SPEND) and meter.room(amount, now) >= 0:
                meter.take(amount, now)
                counted.append((dimension, meter))
        ramp = self.ramp if rates else None
        if ramp is not None:
            ramp.take(amounts[TOTAL], now)
        return Drawn(parts, tuple(counted), ramp)


def build_chain(
    scope: Scope,
    program: Program,
    segment: Segment,
    meters: dict[MeterKey, QuotaMeter],
    shares: dict[MeterKey, QuotaMeter],
    slots: dict[str, Slots],
    caps: dict[CapKey, Cap],
    ramp: Ramp | None,
    now: Micros,
) -> Chain:
    """Find or make the meters of a scope. They are shared by every scope under the same quota."""
    ceilings: list[Slots] = []
    spends: list[QuotaMeter] = []
    rates: list[tuple[int, QuotaMeter]] = []
    shadows: list[tuple[int, QuotaMeter]] = []
    guards: list[Guard] = []
    sized: list[Cap] = []
    nearest: dict[Pledge | None, tuple[int, Pledge]] = {}
    for quota in scope.quotas:
        if quota.concurrency is not None:
            held = slots.get(quota.name)
            if held is None:
                held = slots[quota.name] = Slots(quota.name, quota.concurrency)
            ceilings.append(held)
        if (most := part_of(quota, "bytes")) is not None:
            sized.append(find(caps, (quota.name, "", "bytes"), most, None))
        if quota.session is not None:
            guards.append(Guard("session", quota.name, quota.session, None))
        if quota.run is not None:
            guards.append(Guard("run", quota.name, quota.run, quota.run.loop_guard))
        for limit in segment.limits_of(quota):
            key = quota_key(quota.name, limit.of, limit.per)
            meter = meters.get(key)
            if meter is None:
                meter = meters[key] = quota_meter(key, limit.per, limit.ceiling, quota.zone, now)
            dimension = DIMENSION[limit.of]
            if limit.shadow:
                shadows.append((dimension, meter))
                continue
            if limit.of == "spend":
                spends.append(meter)
            else:
                rates.append((dimension, meter))
            pledge = segment.pledges.get((quota.name, limit.of, limit.per))
            if pledge is not None:  # quotas come outermost first: the last of a tree is whose it is
                nearest.pop(pledge.parent, None)
                nearest[pledge] = (dimension, pledge)

    def share(kind: str, pledge: Pledge, size: int) -> QuotaMeter:
        key = meter_key(kind, pledge)
        found = shares.get(key)
        if found is None:
            zone = program.quotas[pledge.quota].zone
            found = shares[key] = quota_meter(key, pledge.per, size, zone, now)
        return found

    paths = tuple([Path(dimension, pledge, share) for dimension, pledge in nearest.values()])
    return Chain(
        tuple(ceilings),
        tuple(spends),
        tuple(rates),
        paths,
        tuple(shadows),
        ramp,
        tuple(guards),
        tuple([quota for quota in scope.quotas if any(part_of(quota, of) is not None for of in WAITED_FOR)]),
        tuple(sized),
    )
