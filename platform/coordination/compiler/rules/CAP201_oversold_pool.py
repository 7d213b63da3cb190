"""CAP201: at some instant a pool's reservations promise more than it may promise (R8).

Prefill and decode share a machine, so a reservation takes x = in/C_in + out/C_out of its pool. The
sum must stay within ``reservable`` at every instant: a sweep over all beginnings and ends, in whole
numbers, so that exactly full is allowed and one token more is not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.dividing import Portion, portions_of, whole_capacity
from coordination.compiler.reporting import report, see
from coordination.compiler.windows import Interval, intervals
from coordination.diagnostics import Diagnostic, Rule
from coordination.program.records import MILLION, Micros
from coordination.spec.kinds import Pool, Reservation
from coordination.spec.quantities import LARGEST, write_instant

RULE = Rule("CAP201", "error", "Oversold pool")
NEEDS_WHOLE = False
MOST_STORIES = 10
"""Of one pool: sets of reservations that are too much together, each told once."""
MOST_SHOWN = 8


class Promise(NamedTuple):
    """A reservation on its pool; ``parts`` of C_in x C_out."""

    reservation: Entry[Reservation]
    windows: tuple[Interval, ...]
    parts: int

    def holds(self, instant: Micros) -> bool:
        position = bisect_right(self.windows, (instant, LARGEST)) - 1
        return position >= 0 and instant < self.windows[position].end


class Oversold(NamedTuple):
    """A longest interval of overselling, with its worst instant."""

    start: Micros
    end: Micros
    worst: Micros
    parts: int


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    portions = catalogue.ask(portions_of)
    by_pool: dict[str, list[tuple[Entry[Reservation], Portion]]] = {}
    for name, reservation in catalogue.reservations.items():
        for portion in portions[name]:
            by_pool.setdefault(portion.pool, []).append((reservation, portion))
    for name, reservations in by_pool.items():
        pool = catalogue.pools.get(name)
        if pool is not None and pool.spec.capacity is not None:
            yield from catalogue.ask(_of_pool, pool, tuple(reservations))


def _of_pool(
    catalogue: Catalogue, pool: Entry[Pool], reservations: tuple[tuple[Entry[Reservation], Portion], ...]
) -> tuple[Diagnostic, ...]:
    """A question for each pool, so that an edit has one of them swept over again."""
    inputs, outputs = whole_capacity(pool.spec)
    at, horizon = catalogue.at, catalogue.horizon
    promises = [
        Promise(r, intervals(r.spec.window, at, horizon), portion.input * outputs + portion.output * inputs)
        for r, portion in reservations
    ]
    whole = inputs * outputs
    taken = ((promise.windows, promise.parts) for promise in promises)
    found = oversold(taken, pool.spec.reservable * whole // MILLION, at)
    told: dict[tuple[str, ...], list[Oversold]] = {}
    for interval in found:
        active = tuple(p.reservation.name for p in promises if p.parts and p.holds(interval.worst))
        if active not in told and len(told) == MOST_STORIES:
            break
        told.setdefault(active, []).append(interval)
    return tuple(
        _describe(pool, [p for p in promises if p.reservation.name in names], stretches, whole, at)
        for names, stretches in told.items()
    )


def oversold(
    promises: Iterable[tuple[tuple[Interval, ...], int]], most: int, at: Micros = 0
) -> list[Oversold]:
    """Every longest interval after ``at`` in which the promises sum to more than ``most``, by time.

    A promise is its windows and what it takes. Reservations often share their office hours, so those of
    the same windows are added up before time is swept over.
    """
    together: dict[int, tuple[tuple[Interval, ...], int]] = {}
    for windows, parts in promises:
        _, sum_so_far = together.get(id(windows), (windows, 0))
        together[id(windows)] = windows, sum_so_far + parts  # alike windows are one object: see windows.py
    if sum(parts for _, parts in together.values()) <= most:
        return []  # not even all of them at once are too much
    changes: defaultdict[Micros, int] = defaultdict(int)
    for windows, parts in together.values():
        for start, end in windows:
            if end > at:
                changes[start if start > at else at] += parts
                changes[end] -= parts
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
    pool: Entry[Pool], active: list[Promise], intervals: list[Oversold], whole: int, at: Micros
) -> Diagnostic:
    interval = intervals[0]
    active.sort(key=lambda p: (-_begun(p, interval.worst), p.reservation.name))
    culprit = active[0].reservation
    allowed = percent(pool.spec.reservable, MILLION)
    until = "for ever" if interval.end == LARGEST else f"until {write_instant(interval.end)}"
    since = "from now" if interval.start == at else f"from {write_instant(interval.start)}"
    largest = sorted(active, key=lambda p: (-p.parts, p.reservation.name))
    shares = [f"{p.reservation.name} {percent(p.parts, whole)}" for p in largest[:MOST_SHOWN]]
    more = f" and {len(active) - MOST_SHOWN} more" if len(active) > MOST_SHOWN else ""
    again = len(intervals) - 1
    times = f", and {again} more {'time' if again == 1 else 'times'}" if again else ""
    notes = [f"At {write_instant(interval.worst)}: {', '.join(shares)}{more}."]
    if again:
        notes.append(f"It is so for the last time in sight from {write_instant(intervals[-1].start)} on.")
    if any(p.reservation.spec.pool is None for p in active):
        notes.append("A reservation of a model takes the same part of what each of its pools may promise.")
    notes.append(
        "A reservation takes input/C_in + output/C_out of a pool: prefill and decode share the machine."
    )
    return report(
        RULE,
        culprit.document,
        "/spec/throughput",
        f"pool `{pool.name}` is oversold {since} {until}{times}: reservations take "
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
        notes=tuple(notes),
    )


def _begun(promise: Promise, instant: Micros) -> Micros:
    """When the window that holds an instant began: the latest to come made it too much."""
    return max(start for start, _ in promise.windows if start <= instant)


def percent(part: int, whole: int) -> str:
    """Rounded up to a tenth of a percent, so that oversold never reads like full."""
    tenths = -(-part * 1000 // whole)
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"
