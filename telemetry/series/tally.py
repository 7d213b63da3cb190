"""What do counts and sketches of several batches, keys or minutes come to together? They are added up.

A percentile is read off sketches that were merged; it is never averaged, nor stored to be.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordination.sketch import Sketch
from coordination.wire.telemetry import Series, sketch_of
from telemetry.models.series import COUNTS, SKETCHES

SHED = frozenset({"capacity_exceeded", "reservation_shortfall"})
"""Refusals that are our shortfall rather than the caller's limit."""


class Tally:
    """Counters by name, refusals by code, promises by key, and sketches of microseconds."""

    __slots__ = ("counts", "objectives", "refused", "sketches")

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.refused: dict[str, int] = {}
        self.objectives: dict[str, tuple[int, int]] = {}
        """``ObjectiveRecord.key`` -> (kept, given)."""
        self.sketches = {name: Sketch() for name in SKETCHES}

    def add(self, series: Series) -> None:
        """Raises ``MalformedSketch``."""
        for name in COUNTS:
            self.counts[name] += getattr(series, name)
        self._refuse(series.refused)
        self._hold(series.objectives)
        for name in SKETCHES:
            if data := getattr(series, name):
                self.sketches[name].merge(sketch_of(data))

    def merge(self, other: Tally) -> None:
        for name, count in other.counts.items():
            self.counts[name] += count
        self._refuse(other.refused)
        self._hold(other.objectives)
        for name, sketch in other.sketches.items():
            if sketch.count:
                self.sketches[name].merge(sketch)

    def _refuse(self, refused: Mapping[str, int]) -> None:
        for code, count in refused.items():
            self.refused[code] = self.refused.get(code, 0) + count

    def _hold(self, objectives: Mapping[str, tuple[int, int]]) -> None:
        for key, (kept, given) in objectives.items():
            before = self.objectives.get(key, (0, 0))
            self.objectives[key] = (before[0] + kept, before[1] + given)

    # -- what it says --------------------------------------------------------------------------

    @property
    def refusals(self) -> int:
        return sum(self.refused.values())

    @property
    def shed(self) -> int:
        """Turned away because we were full."""
        return sum(count for code, count in self.refused.items() if code in SHED)

    @property
    def cache_hit(self) -> float | None:
        """Cached part of the input; ``None`` without input, never 0."""
        cached, uncached = self.counts["cached_input"], self.counts["uncached_input"]
        return cached / (cached + uncached) if cached + uncached else None

    def milliseconds(self, sketch: str, percent: float) -> float | None:
        found = self.sketches[sketch].percentile(percent)
        return None if found is None else found / 1000


def rounded(value: float | None) -> float | None:
    """Four significant figures: finer than any sketch, and equal values stay equal."""
    return None if value is None else float(f"{value:.4g}")
