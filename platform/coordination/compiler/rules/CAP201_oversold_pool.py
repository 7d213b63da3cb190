"""CAP201: at some instant a pool's reservations promise more than it may promise (R8).

Prefill and decode share a machine, so a reservation takes x = in/C_in + out/C_out of its pool. The
sum must stay within ``reservable`` at every instant: a sweep over all beginnings and ends, in whole
numbers, so that exactly full is allowed and one token more is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.program.records import MILLION, Micros
from coordination.spec.kinds import Pool, Reservation
from coordination.spec.quantities import LARGEST, write_instant

RULE = Rule("CAP201", "error", "Oversold pool")
NEEDS_WHOLE = False
MOST_INTERVALS = 10
MOST_SHOWN = 8


class Promise(NamedTuple):
    """A reservation on its pool; ``parts`` of C_in x C_out."""

    reservation: Entry[Reservation]
    start: Micros
    end: Micros
    parts: int


class Oversold(NamedTuple):
    """A longest interval of overselling, with its worst instant."""

    start: Micros
    end: Micros
    worst: Micros
    parts: int


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    by_pool: dict[str, list[Entry[Reservation]]] = {}
    for reservation in catalogue.reservations.values():
        by_pool.setdefault(reservation.spec.pool, []).append(reservation)
    for name, reservations in by_pool.items():
        pool = catalogue.pools.get(name)
        if pool is not None and pool.spec.capacity is not None:
            yield from _check_pool(pool, reservations, catalogue.at)


def _check_pool(
    pool: Entry[Pool], reservations: list[Entry[Reservation]], at: Micros
) -> Iterator[Diagnostic]:
    inputs, outputs = whole_capacity(pool.spec)
    promises = [
        Promise(r, max(start, at), end, r.spec.throughput.input * outputs + r.spec.throughput.output * inputs)
        for r in reservations
        for start, end in [window(r.spec)]
        if start < end and end > at
    ]
    whole = inputs * outputs
    found = oversold(promises, pool.spec.reservable * whole // MILLION)
    for interval in found[:MOST_INTERVALS]:
        yield _describe(pool, promises, interval, whole, at)


def whole_capacity(pool: Pool) -> tuple[int, int]:
    """Input and output tokens a minute of all replicas together."""
    count = len(pool.replicas.urls)
    capacity = pool.capacity
    return (capacity.input * count, capacity.output * count) if capacity else (0, 0)


def window(reservation: Reservation) -> tuple[Micros, Micros]:
    """When it is in force; an open end lies past every instant."""
    start, end = reservation.window.from_, reservation.window.until
    return start or 0, LARGEST if end is None else end


def oversold(promises: list[Promise], most: int) -> list[Oversold]:
    """Every longest interval in which the promises sum to more than ``most``, in order of time."""
    changes: dict[Micros, int] = {}
    for promise in promises:
        changes[promise.start] = changes.get(promise.start, 0) + promise.parts
        changes[promise.end] = changes.get(promise.end, 0) - promise.parts
    found: list[Oversold] = []
    total = 0
    begun: Micros | None = None
    worst, peak = 0, 0
    for instant in sorted(changes):
        total += changes[instant]
        if total > most:
            if begun is None:
                begun, peak = instant, 0
            if total > peak:
                worst, peak = instant, total
        elif begun is not None:
            found.append(Oversold(begun, instant, worst, peak))
            begun = None
    return found


def _describe(
    pool: Entry[Pool], promises: list[Promise], interval: Oversold, whole: int, at: Micros
) -> Diagnostic:
    active = [p for p in promises if p.start <= interval.worst < p.end and p.parts]
    active.sort(key=lambda p: (-p.start, p.reservation.name))
    culprit = active[0].reservation
    allowed = percent(pool.spec.reservable, MILLION)
    until = "for ever" if interval.end == LARGEST else f"until {write_instant(interval.end)}"
    since = "from now" if interval.start == at else f"from {write_instant(interval.start)}"
    largest = sorted(active, key=lambda p: (-p.parts, p.reservation.name))
    shares = [f"{p.reservation.name} {percent(p.parts, whole)}" for p in largest[:MOST_SHOWN]]
    more = f" and {len(active) - MOST_SHOWN} more" if len(active) > MOST_SHOWN else ""
    return report(
        RULE,
        culprit.document,
        "/spec/throughput",
        f"pool `{pool.name}` is oversold {since} {until}: reservations take "
        f"{percent(interval.parts, whole)} of it, and {allowed} may be reserved",
        on="key",
        related=(
            *(
                see(p.reservation.document, "/spec/throughput", f"`{p.reservation.name}` takes its part here")
                for p in largest[:MOST_SHOWN]
                if p.reservation is not culprit
            ),
            see(pool.document, "/spec/reservable", f"`{pool.name}` may promise {allowed}"),
        ),
        notes=(
            f"At {write_instant(interval.worst)}: {', '.join(shares)}{more}.",
            "A reservation takes input/C_in + output/C_out of a pool: prefill and decode share the machine.",
        ),
    )


def percent(part: int, whole: int) -> str:
    """Rounded up to a tenth of a percent, so that oversold never reads like full."""
    tenths = -(-part * 1000 // whole)
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"
