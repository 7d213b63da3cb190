"""Which requests ended alike, and what is there to count of them?

A request is counted in a dozen places. Those that share every name anything is counted under are put into
columns, so that each place is found once for all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from coordination.scheduling.values import Usage
from gateway.explanations import Explanation

_KEPT: Final = 256
"""Values that a histogram keeps as they are before it sorts them in."""


class Histogram:
    """Counts of values by bucket: each holds what is at most its bound and above the one before."""

    __slots__ = ("_counts", "_fresh", "_total", "bounds")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        """``bounds``: ascending, in whole units (microseconds, tokens)."""
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0
        self._fresh: list[int] = []

    def extend(self, values: Sequence[int]) -> None:
        self._fresh += values
        if len(self._fresh) >= _KEPT:
            self.counted()

    def counted(self) -> tuple[list[int], int]:
        """How many values each bucket holds, the last one those above all bounds; and the sum of all."""
        counts, fresh = self._counts, self._fresh
        if fresh:
            fresh.sort()
            below = 0
            for index, bound in enumerate(self.bounds):
                reached = bisect_right(fresh, bound, below)
                counts[index] += reached - below
                below = reached
            counts[-1] += len(fresh) - below
            self._total += sum(fresh)
            fresh.clear()
        return counts, self._total


class Alike:
    """Requests that ended under the same names."""

    __slots__ = ("all", "durations", "one", "to_first_byte", "used")

    def __init__(self, requests: list[Explanation]) -> None:
        self.all = requests
        self.one = requests[0]
        """Any of them, for what they share."""
        self.durations = [one.finished - one.arrived for one in requests]
        """Microseconds from arrival to the last byte, of each."""
        self.to_first_byte = [one.first_byte - one.arrived for one in requests if one.first_byte]
        """The same to the first byte from the engine, of those that had one."""
        self.used = [one.charge.usage for one in requests if one.charge is not None]
        """Tokens of those that were charged."""

    def tokens(self) -> Usage:
        """Of all together."""
        total = Usage(0, 0, 0)
        for used in self.used:
            total.uncached_input += used.uncached_input
            total.cached_input += used.cached_input
            total.output += used.output
            total.cache_write += used.cache_write
            total.reasoning += used.reasoning
        return total
