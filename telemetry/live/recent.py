"""What happened in one environment in the last quarter hour, second by second?

Batches are kept as they came, so that one which comes late still counts: the points it touches are made
anew. Everything here is a function of the batches, so two processes that have the same ones show the same.
"""

from __future__ import annotations

from collections import OrderedDict

from coordination.wire.telemetry import Batch
from telemetry.series.tables import FLEET, MINUTE, WINDOW, Rows, Second, grouped

SPAN = 15 * 60
"""Seconds that are kept."""
GROUPED_KEPT = MINUTE + 2 * WINDOW
FORGET_EVERY = 15
IDLE = 5 * 60
"""Seconds a row stays in a table without news of it."""


class Recent:
    """The last ``SPAN`` seconds of one environment."""

    def __init__(self, closed: int) -> None:
        """``closed``: the newest second that is over; those before it get their points from late batches."""
        self._batches: dict[int, list[Batch]] = {}
        self._seen: dict[tuple[str, str], dict[int, int]] = {}
        """(gateway, boot) -> number -> second."""
        self._grouped: OrderedDict[int, Second] = OrderedDict()
        self._points: dict[str, dict[int, Rows]] = {name: {} for name in FLEET}
        self._known: dict[str, dict[str, int]] = {name: {} for name in FLEET}
        """Rows of each table, and when each was last heard of."""
        self._stale: set[int] = set()
        self.closed = closed
        """The newest second that has its points."""

    def add(self, gateway: str, second: int, batch: Batch) -> bool:
        """Whether it was new and still counts."""
        if second <= self.closed - SPAN:
            return False
        numbers = self._seen.setdefault((gateway, batch.boot_id), {})
        if batch.seq in numbers:
            return False
        numbers[batch.seq] = second
        self._batches.setdefault(second, []).append(batch)
        self._grouped.pop(second, None)
        if second <= self.closed:
            self._stale.update(range(second, min(second + WINDOW, self.closed + 1)))
        return True

    def close(self, second: int) -> None:
        """Make the points of ``second``, and of those before it that have none; forget what is old."""
        self.closed = max(self.closed, second - SPAN)
        while self.closed < second:
            self.closed += 1
            self._make(self.closed)
        self._forget(second - SPAN)

    def repair(self) -> int | None:
        """Make the points of one second anew that a late batch has touched; that second, or None."""
        if not self._stale:
            return None
        second = min(self._stale)
        self._stale.discard(second)
        self._make(second)
        return second

    @property
    def damaged(self) -> bool:
        return bool(self._stale)

    def rows(self, table: str, second: int) -> Rows | None:
        """The points of one second; None if there are none. From any thread."""
        return self._points[table].get(second)

    def last(self, seconds: int) -> list[Second]:
        """The newest ``seconds`` that are closed, oldest first."""
        return self._window(self.closed, seconds)

    def copies(self, seconds: int) -> list[tuple[int, Second]]:
        """The newest ``seconds``, closed or not, made of their batches anew. From any thread."""
        numbers = range(self.closed - seconds + 2, self.closed + 3)
        found = ((number, self._batches.get(number)) for number in numbers)
        return [(number, grouped(tuple(batches))) for number, batches in found if batches]

    def _window(self, second: int, seconds: int) -> list[Second]:
        return [self._second(at) for at in range(second - seconds + 1, second + 1)]

    def _second(self, second: int) -> Second:
        found = self._grouped.get(second)
        if found is None:
            found = self._grouped[second] = grouped(self._batches.get(second, ()))
            while len(self._grouped) > GROUPED_KEPT:
                self._grouped.popitem(last=False)
        else:
            self._grouped.move_to_end(second)
        return found

    def _make(self, second: int) -> None:
        window = self._window(second, WINDOW)
        told = window[-1].gateways > 0
        for name, table in FLEET.items():
            rows = table.rows(window) if told else {}
            known = self._known[name]
            for key in rows:
                known[key] = max(second, known.get(key, 0))
            # Where nobody told of a second, nothing is known of it: a gap, and never a nought.
            absent = table.idle if told else (None,) * len(table.metrics)
            self._points[name][second] = {
                key: rows.get(key, absent) for key, heard in known.items() if heard > second - IDLE
            }

    def _forget(self, before: int) -> None:
        """Once in ``FORGET_EVERY`` seconds: late batches leave no order to stop at."""
        if before % FORGET_EVERY:
            return
        for second in [at for at in self._batches if at <= before]:
            del self._batches[second]
        for points in self._points.values():
            for second in [at for at in points if at <= before]:
                del points[second]
        for known in self._known.values():
            for key in [key for key, heard in known.items() if heard <= before]:
                del known[key]
        for whose, numbers in list(self._seen.items()):
            for number in [number for number, second in numbers.items() if second <= before]:
                del numbers[number]
            if not numbers:
                del self._seen[whose]
