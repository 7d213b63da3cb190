"""How much of each pool is promised, when, and how much may still be?

Shares of a pool are exact: parts of C_in x C_out, as R8 defines them and CAP201 checks them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coordination.compiler.catalogue import Entry
from coordination.compiler.dividing import Division, Portion, whole_capacity
from coordination.compiler.windows import HORIZON, Interval, bounds, intervals
from coordination.program.records import MILLION, Micros
from coordination.spec import Document
from coordination.spec.quantities import LARGEST

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Micros = 86_400 * MILLION


@dataclass(frozen=True, slots=True)
class Promise:
    """One reservation's part of its pool."""

    name: str
    tenant: str
    tier: str
    input: int
    output: int
    start: Micros
    end: Micros
    """``LARGEST`` when it is open."""
    windows: tuple[Interval, ...]
    """When it is in force between these two: all the time, unless it recurs."""
    ppm: int
    """Millionths of the pool."""

    @property
    def percent(self) -> float:
        return self.ppm / 10_000

    @property
    def starts(self) -> datetime | None:
        return None if self.start == 0 else moment(self.start)

    @property
    def ends(self) -> datetime | None:
        return None if self.end == LARGEST else moment(self.end)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time over which the promised share stays the same."""

    start: Micros
    end: Micros
    ppm: int


@dataclass(frozen=True, slots=True)
class HeadRoom:
    """One pool: what it can do, what it may promise, what it has promised."""

    pool: str
    model: str
    region: str
    replicas: int
    input: int
    """Tokens a minute of all replicas, prefill alone; 0 when no capacity is stated."""
    output: int
    reservable_ppm: int
    promises: tuple[Promise, ...]
    spans: tuple[Span, ...]
    """From ``at`` on, in order; empty without capacity."""

    @property
    def stated(self) -> bool:
        return self.input > 0

    @property
    def now_ppm(self) -> int:
        return self.spans[0].ppm if self.spans else 0

    @property
    def tightest(self) -> Span | None:
        """The first of the fullest stretches."""
        return max(self.spans, key=lambda span: (span.ppm, -span.start), default=None)

    @property
    def tightest_at(self) -> datetime | None:
        return None if self.tightest is None else moment(self.tightest.start)

    @property
    def reservable(self) -> float:
        """Percent."""
        return self.reservable_ppm / 10_000

    @property
    def reserved(self) -> float:
        return self.now_ppm / 10_000

    @property
    def peak(self) -> float:
        return self.tightest.ppm / 10_000 if self.tightest else 0.0

    @property
    def free(self) -> float:
        """Percent that may still be promised at every instant."""
        return self.reservable - self.peak

    @property
    def grows(self) -> bool:
        """Whether a later instant is tighter than now."""
        return self.peak > self.reserved


def moment(micros: Micros) -> datetime:
    return EPOCH + timedelta(microseconds=min(micros, 253_402_300_799 * MILLION))


def head_rooms(documents: Iterable[Document], at: Micros) -> list[HeadRoom]:
    """Every pool, by name, as of ``at``."""
    known = list(documents)
    pools = sorted((d for d in known if d.kind == "Pool"), key=lambda d: d.name)
    division = Division({pool.name: Entry(pool) for pool in pools})
    by_pool: dict[str, list[tuple[Document, Portion]]] = {}
    for document in known:
        if document.kind == "Reservation":
            for portion in division.portions(document.spec):
                by_pool.setdefault(portion.pool, []).append((document, portion))
    return [_head_room(pool, by_pool.get(pool.name, []), at) for pool in pools]


def _head_room(pool: Document, reservations: Sequence[tuple[Document, Portion]], at: Micros) -> HeadRoom:
    inputs, outputs = whole_capacity(pool.spec)
    promises = tuple(
        sorted(
            (_promise(*reservation, inputs, outputs, at) for reservation in reservations),
            key=lambda promise: (promise.start, promise.name),
        )
    )
    return HeadRoom(
        pool=pool.name,
        model=pool.spec.model,
        region=pool.spec.region,
        replicas=pool.spec.replicas.planned,
        input=inputs,
        output=outputs,
        reservable_ppm=pool.spec.reservable,
        promises=promises,
        spans=_spans(promises, at) if inputs else (),
    )


def _promise(document: Document, portion: Portion, inputs: int, outputs: int, at: Micros) -> Promise:
    """What a pool promises of a reservation."""
    spec = document.spec
    start, end = bounds(spec.window)
    parts = portion.input * outputs + portion.output * inputs
    whole = inputs * outputs
    return Promise(
        name=document.name,
        tenant=spec.tenant,
        tier=spec.tier,
        input=portion.input,
        output=portion.output,
        start=start,
        end=end,
        windows=intervals(spec.window, at, at + HORIZON),
        ppm=-(-parts * MILLION // whole) if whole else 0,
    )


def _spans(promises: Sequence[Promise], at: Micros) -> tuple[Span, ...]:
    """The sum of the promises from ``at`` on, piece by piece."""
    changes: dict[Micros, int] = {at: 0, LARGEST: 0}
    for promise in promises:
        for start, end in promise.windows:
            if end > at:
                since = max(start, at)
                changes[since] = changes.get(since, 0) + promise.ppm
                changes[end] = changes.get(end, 0) - promise.ppm
    edges = sorted(changes)
    sums = itertools.accumulate(changes[edge] for edge in edges)
    return tuple(
        Span(start, end, ppm) for (start, end), ppm in zip(itertools.pairwise(edges), sums, strict=False)
    )


def horizon(rooms: Iterable[HeadRoom], at: Micros) -> tuple[Micros, Micros]:
    """The stretch of time a calendar shows: a little of the past, and all that is dated, within a year."""
    edges = [
        edge
        for room in rooms
        for promise in room.promises
        for edge in (promise.start, promise.end)
        if 0 < edge < LARGEST
    ]
    begin = min([at - 7 * DAY, *(edge for edge in edges if at - 60 * DAY < edge)])
    finish = max([at + 60 * DAY, *(edge + 7 * DAY for edge in edges if edge < at + 400 * DAY)])
    return begin, finish


def by_pool(rooms: Iterable[HeadRoom]) -> Mapping[str, HeadRoom]:
    return {room.pool: room for room in rooms}
