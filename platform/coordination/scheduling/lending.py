"""Whose part of a shared limit does a request use: its own, or what others leave? (R9)

Ceilings are elsewhere: here is what the tenants of a tree keep from each other below them. A request uses
the pool of the nearest tenant on its path that has room; what that tenant has lent out is taken back from
its parent's pool, into debt if need be, so that borrowers wait and the lender does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from coordination.program.guarantees import Pledge
from coordination.program.records import Micros
from coordination.scheduling.limits import MeterKey, QuotaMeter

NOBODY: Final = -1
"""No tenant on the path has room."""
Parts = list[int]
"""What a request uses: the position of the tenant it draws on, the amount, and what of it was taken back
from each pool above, in turn."""

MakeMeter = Callable[[str, Pledge, int], QuotaMeter]
"""Finds or makes the meter of (kind, pledge, size)."""
POOL, KEPT, THROUGH = "pool", "kept", "through"
"""Kinds of those meters, as state keeps them (R3)."""


class Tenancy(NamedTuple):
    """One tenant on the path, with what is left of its part."""

    pledge: Pledge
    pool: QuotaMeter
    kept: QuotaMeter | None
    """Of the pool, what is never lent; None for the outermost, which has nobody to lend to."""
    through: tuple[QuotaMeter, ...]
    """What borrowing here passes on its way, from the tenants below."""


class Path:
    """The tenants, from the one that asks outwards, that share one limit."""

    __slots__ = ("dimension", "tenancies")

    def __init__(self, dimension: int, pledge: Pledge, meter: MakeMeter) -> None:
        """``dimension``: position in ``Amounts`` of what the limit counts."""
        self.dimension = dimension
        tenancies: list[Tenancy] = []
        through: tuple[QuotaMeter, ...] = ()
        one: Pledge | None = pledge
        while one is not None:
            outermost = one.parent is None
            if one.pool or outermost:
                kept = None if outermost else meter(KEPT, one, one.kept)
                tenancies.append(Tenancy(one, meter(POOL, one, one.pool), kept, through))
            if one.through is not None:
                through = (*through, meter(THROUGH, one, one.through))
            one = one.parent
        self.tenancies = tuple(tenancies)

    def source(self, amount: int, now: Micros) -> int:
        """Position of the nearest tenant whose pool has room, or NOBODY."""
        for position, one in enumerate(self.tenancies):
            if one.pool.room(amount, now) >= 0 and all(m.room(amount, now) >= 0 for m in one.through):
                return position
        return NOBODY

    def wait(self, amount: int, now: Micros) -> Micros:
        """Until somebody has room, if nobody else asks; 0 = now."""
        return min(
            max(one.pool.wait(amount, now), *(m.wait(amount, now) for m in one.through), 0)
            for one in self.tenancies
        )

    def remaining(self, now: Micros) -> int:
        """The largest amount that may pass now."""
        return max(
            min([one.pool.remaining(now), *(m.remaining(now) for m in one.through)]) for one in self.tenancies
        )

    def reset(self, now: Micros) -> Micros:
        """Until all of the asker's nearest pool is there again."""
        return self.tenancies[0].pool.reset(now)

    def take(self, amount: int, now: Micros) -> Parts:
        """Use ``amount``. What fits nobody is drawn from the outermost, into debt."""
        source = self.source(amount, now)
        if source == NOBODY:
            source = len(self.tenancies) - 1
        for meter in self.tenancies[source].through:
            meter.take(amount, now)
        parts = [source, amount]
        for one in self.tenancies[source:]:
            one.pool.take(amount, now)
            if one.kept is None:
                break
            own = min(amount, one.kept.remaining(now))
            one.kept.take(own, now)
            amount -= own
            if not amount:
                break
            parts.append(amount)
        return parts

    def correct(self, parts: Parts, delta: int, taken_at: Micros, now: Micros) -> None:
        """Replace what was used by ``delta`` more (or less): what was taken back last goes back first."""
        source = parts[0]
        for meter in self.tenancies[source].through:
            meter.correct(delta, taken_at, now)
        for position, one in enumerate(self.tenancies[source:], 1):
            if position == len(parts):
                parts.append(0)
            parts[position] += delta
            one.pool.correct(delta, taken_at, now)
            if one.kept is None:
                return
            if delta < 0:
                above = -min(-delta, parts[position + 1]) if position + 1 < len(parts) else 0
            else:
                above = delta - min(delta, one.kept.remaining(now))
            if delta != above:
                one.kept.correct(delta - above, taken_at, now)
            delta = above
            if not delta:
                return

    def holds(self, parts: Parts) -> Iterator[tuple[QuotaMeter, int]]:
        """Every meter that ``parts`` are drawn on, with how much."""
        source, *amounts = parts
        for meter in self.tenancies[source].through:
            yield meter, amounts[0]
        for one, amount, above in zip(self.tenancies[source:], amounts, [*amounts[1:], 0], strict=False):
            yield one.pool, amount
            if one.kept is not None:
                yield one.kept, amount - above

    def meters(self) -> Iterator[QuotaMeter]:
        for one in self.tenancies:
            yield one.pool
            if one.kept is not None:
                yield one.kept
        yield from self.tenancies[-1].through

    def first_to_have(self, amount: int, now: Micros) -> Tenancy:
        """Who has room for it next, if nobody else asks."""
        return min(
            self.tenancies,
            key=lambda one: max(one.pool.wait(amount, now), *(m.wait(amount, now) for m in one.through), 0),
        )


def meter_key(kind: str, pledge: Pledge) -> MeterKey:
    return (kind, pledge.quota, pledge.of, pledge.per)
