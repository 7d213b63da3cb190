"""What will this request probably cost, and how fast does the pool work? (R6, R11)"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Final

from coordination.program.records import MILLION, Micros

COLD_OUTPUT: Final = 1024
"""Predicted output of a tenant and model not seen yet (R6)."""
WARM_AFTER: Final = 8
REMEMBERED: Final = 40
WINDOW_SECONDS: Final = 10


class OutputQuantile:
    """The 80th percentile of the last forty outputs, exactly: small, and it forgets."""

    __slots__ = ("_arrived", "_sorted")

    def __init__(self) -> None:
        self._arrived: deque[int] = deque()
        self._sorted: list[int] = []

    def add(self, output_tokens: int) -> None:
        if len(self._arrived) == REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._arrived.popleft())]
        self._arrived.append(output_tokens)
        insort(self._sorted, output_tokens)

    def predict(self) -> int:
        """Tokens, at least 1; ``COLD_OUTPUT`` until eight outputs are known."""
        count = len(self._sorted)
        if count < WARM_AFTER:
            return COLD_OUTPUT
        return max(1, self._sorted[count * 4 // 5])


class Throughput:
    """Fairness cost a pool serves per second: an average over about ten seconds (R11).

    Only whole seconds in which something always waited count: an idle pool says nothing of what it
    could do. ``share_above`` tells which part went to the bands above one, on any second.
    """

    __slots__ = ("_bands", "_busy", "_second", "_served", "capacity")

    def __init__(self, nominal: int, now: Micros) -> None:
        self.capacity = max(1, nominal)
        """Cost per second while backlogged."""
        self._second = now // MILLION
        self._served: dict[int, int] = {}
        self._bands: dict[int, int] = {}
        self._busy = False

    def served(self, band: int, cost: int, now: Micros) -> None:
        """``cost`` was dispatched for a band (the lane is the highest of all)."""
        if now // MILLION != self._second:
            self._roll(now)
        self._served[band] = self._served.get(band, 0) + cost

    def idle(self) -> None:
        """Nothing waits: this second measures demand, not capacity."""
        self._busy = False

    def share_left(self, band: int, now: Micros) -> int:
        """Part of the capacity (ppm) that bands above ``band`` have left over lately, at least 5 %."""
        if now // MILLION != self._second:
            self._roll(now)
        above = sum(rate for other, rate in self._bands.items() if other > band)
        return max(MILLION // 20, MILLION - above * MILLION // self.capacity)

    def _roll(self, now: Micros) -> None:
        second = now // MILLION
        if self._busy:
            total = sum(self._served.values())
            self.capacity = max(1, self.capacity + (total - self.capacity) // WINDOW_SECONDS)
        elapsed = min(second - self._second, 3 * WINDOW_SECONDS)
        for band in self._bands.keys() | self._served.keys():
            rate = self._bands.get(band, 0)
            rate += (self._served.get(band, 0) - rate) // WINDOW_SECONDS
            for _ in range(elapsed - 1):
                rate -= -(-rate // WINDOW_SECONDS)
            self._bands[band] = rate
        self._served.clear()
        self._second = second
        self._busy = True
