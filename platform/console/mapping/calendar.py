"""How do reservations lie in time against what their pool may promise? Geometry for one drawing a pool.

Horizontal places are percentages, so that the drawing is as wide as its page and its words stay as
large as the page's; vertical ones are pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.mapping.capacity import HeadRoom, Promise, Span, horizon, moment
from coordination.program.records import Micros
from coordination.spec.quantities import LARGEST

_Place = Callable[[Micros], float]
"""Instant -> percent of the width."""
CHART = 56
"""Height of the chart of the promised share."""
GAP, BAR, STEP = 12, 20, 28
AXIS = 22
MOST_TICKS = 8
LABEL_FITS = 12.0
"""Percent of the width that a bar needs for its words to stand inside."""


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str
    words_x: int = 4


@dataclass(frozen=True, slots=True)
class Step:
    """The promised share over a stretch of time."""

    x: float
    width: float
    y: float
    height: float
    over: bool


@dataclass(frozen=True, slots=True)
class Bar:
    promise: Promise
    x: float
    width: float
    y: int

    @property
    def inside(self) -> bool:
        return self.width >= LABEL_FITS

    @property
    def middle(self) -> int:
        return self.y + BAR - 6


@dataclass(frozen=True, slots=True)
class Lane:
    """The drawing of one pool."""

    room: HeadRoom
    steps: tuple[Step, ...]
    bars: tuple[Bar, ...]
    line_y: float
    """Where the share that may be promised lies."""
    tightest_x: float | None
    height: int


@dataclass(frozen=True, slots=True)
class Calendar:
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    now_x: float
    begins: datetime
    ends: datetime
    chart: int = CHART
    bar: int = BAR
    axis: int = AXIS


def draw(rooms: Sequence[HeadRoom], at: Micros) -> Calendar:
    """One lane for each pool that has a reservation or could have one, on one time axis."""
    begin, end = horizon(rooms, at)

    def x(instant: Micros) -> float:
        inside = min(max(instant, begin), end)
        return round((inside - begin) * 100 / (end - begin), 3)

    return Calendar(
        lanes=tuple(_lane(room, x) for room in rooms if room.stated),
        ticks=tuple(_ticks(begin, end)),
        now_x=x(at),
        begins=moment(begin),
        ends=moment(end),
    )


def _lane(room: HeadRoom, x: _Place) -> Lane:
    top = max(room.reservable_ppm, *(span.ppm for span in room.spans), 1) * 1.15
    bars = tuple(
        Bar(promise, x(promise.start), x(promise.end) - x(promise.start), CHART + GAP + STEP * row)
        for row, promise in enumerate(room.promises)
    )
    tightest = room.tightest
    return Lane(
        room=room,
        steps=tuple(_step(span, room.reservable_ppm, top, x) for span in room.spans if span.ppm),
        bars=bars,
        line_y=round(CHART - room.reservable_ppm * CHART / top, 1),
        tightest_x=x(tightest.start) if tightest is not None and tightest.ppm else None,
        height=CHART + GAP + STEP * len(bars),
    )


def _step(span: Span, reservable: int, top: float, x: _Place) -> Step:
    height = round(span.ppm * CHART / top, 1)
    left, right = x(span.start), x(min(span.end, LARGEST))
    return Step(left, round(right - left, 3), round(CHART - height, 1), height, span.ppm > reservable)


def _ticks(begin: Micros, end: Micros) -> Iterator[Tick]:
    """First days of months, as many as have room."""
    months = list(_months(moment(begin), moment(end)))
    every = -(-len(months) // MOST_TICKS) or 1
    for month in months[::every]:
        place = (int(month.timestamp()) * 1_000_000 - begin) * 100 / (end - begin)
        yield Tick(
            round(place, 3), f"{month:%b %Y}" if month.month == 1 or month == months[0] else f"{month:%b}"
        )


def _months(begin: datetime, end: datetime) -> Iterator[datetime]:
    month = begin.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < end:
        if month >= begin:
            yield month
        month = (month + timedelta(days=32)).replace(day=1)
