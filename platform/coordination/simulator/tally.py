"""What is counted while a simulation goes on? Sums and sketches, never a list that grows with the trace.

A finished request is counted once, in the cell of its (tenant, tier, pool); tiers, tenants, pools and the
whole are merged from the cells at the end. A cell keeps a bounded number of its latest requests as they are
and counts them together, column by column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any, Final

from coordination.scheduling import Charge, Decision, Dispatch
from coordination.simulator.share_lag import ShareLag
from coordination.sketch import Sketch
from coordination.spec.kinds.objective import Length

WORST: Final = 20
MOST_WINDOWS: Final = 240
FIRST_WINDOW_US: Final = 1_000_000
PENDING: Final = 256
"""Requests a cell keeps before it counts them."""
Row = tuple[int, int, int, int, int, int, int, int, int]
"""(ttft, wait, e2e, uncached, cached, output, fairness cost, spend, deadline) of a completed request.

The deadline is its own, microseconds after its arrival; below 0: it named none.
"""


@dataclass(slots=True)
class Cell:
    """Requests of one kind. Times in microseconds, tokens in the engine's count."""

    requests: int = 0
    completed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ttft: Sketch = field(default_factory=Sketch)
    wait: Sketch = field(default_factory=Sketch)
    """In our own queue."""
    pace: Sketch = field(default_factory=Sketch)
    """A request's mean time between tokens, counted once for each of its gaps."""
    e2e: Sketch = field(default_factory=Sketch)
    dated: Sketch = field(default_factory=Sketch)
    """``e2e`` of those that named a deadline of their own."""
    met: int = 0
    """Of these, those that were over by then."""
    uncached: int = 0
    cached: int = 0
    output: int = 0
    cost: int = 0
    """Fairness cost, millionths of an uncached input token."""
    spend: int = 0
    lane: int = 0
    """Went by the reservation lane."""
    spilled: int = 0
    downgraded: int = 0
    pending: list[Row] = field(default_factory=list)
    """Completed, not counted yet."""
    classes: dict[Length, Cell] = field(default_factory=dict)
    """The same of requests of some lengths alone: those that a promise speaks of."""

    def count(self) -> None:
        """Put what is pending into sums and sketches."""
        rows = self.pending
        if not rows:
            return
        ttft, wait, e2e, uncached, cached, output, cost, spend, due = zip(*rows, strict=True)
        self.requests += len(rows)
        self.completed += len(rows)
        self.ttft.extend(ttft)
        self.wait.extend(wait)
        self.e2e.extend(e2e)
        paced = [((row[2] - row[0]) // (row[5] - 1), row[5] - 1) for row in rows if row[5] > 1]
        self.pace.weigh([pace for pace, _ in paced], [gaps for _, gaps in paced])
        self.uncached += sum(uncached)
        self.cached += sum(cached)
        self.output += sum(output)
        self.cost += sum(cost)
        self.spend += sum(spend)
        if max(due) >= 0:
            dated = [(row[2], row[8]) for row in rows if row[8] >= 0]
            self.dated.extend([took for took, _ in dated])
            self.met += sum(took <= own for took, own in dated)
        for length, cell in self.classes.items():
            cell.pending += [row for row in rows if length.covers(row[3])]
            cell.count()
        rows.clear()

    def done_by(self, target: int) -> int:
        """Completed by their own deadline or, where they named none, within ``target`` microseconds."""
        return self.met + self.e2e.count_at_most(target) - self.dated.count_at_most(target)

    def refuse(self, code: str, uncached: int) -> None:
        """A request of so many prompt tokens to compute was not served."""
        self.requests += 1
        self.refused[code] += 1
        for length, cell in self.classes.items():
            if length.covers(uncached):
                cell.refuse(code, uncached)

    def merge(self, other: Cell) -> None:
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused.update(other.refused)
        for name in _SKETCHES:
            getattr(self, name).merge(getattr(other, name))

    def of(self, length: Length | None) -> Cell:
        """What was counted of a class; of all requests without one."""
        return self if length is None else self.classes[length]


_SUMS: Final = (
    *("requests", "completed", "met", "uncached", "cached", "output", "cost", "spend"),
    *("lane", "spilled", "downgraded"),
)
_SKETCHES: Final = ("ttft", "wait", "pace", "e2e", "dated")
Key = tuple[str, str, str]
"""(tenant, tier served, pool); an empty pool is a request that reached none."""


@dataclass(slots=True)
class Window:
    """What happened in one stretch of time."""

    arrived: int = 0
    completed: int = 0
    refused: int = 0
    input_tokens: int = 0
    computed_tokens: int = 0
    output_tokens: int = 0
    ttft_us: int = 0
    """Sum over first tokens seen here."""
    firsts: int = 0
    most_waiting: int = 0

    def merge(self, other: Window) -> None:
        for name in (*SUMS, "ttft_us", "firsts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_waiting = max(self.most_waiting, other.most_waiting)


SUMS: Final = ("arrived", "completed", "refused", "input_tokens", "computed_tokens", "output_tokens")
COLUMNS: Final = (*SUMS, "firsts", "most_waiting")
"""Of a window, what reports show as it is."""


class Timeline:
    """Windows of equal length; when there are too many, neighbours are joined and the length doubles."""

    __slots__ = ("_from", "_to", "_window", "length_us", "start", "windows")

    def __init__(self, start: int) -> None:
        self.start = start
        self.length_us = FIRST_WINDOW_US
        self.windows: list[Window] = []
        self._window = Window()
        """The one last asked for, ..."""
        self._from = self._to = 0
        """... and from when until when it counts."""

    def at(self, now: int) -> Window:
        if self._from <= now < self._to:
            return self._window
        index = (now - self.start) // self.length_us
        while index >= len(self.windows):
            if index >= MOST_WINDOWS:
                self._join()
                index = (now - self.start) // self.length_us
            else:
                self.windows.append(Window())
        self._from = self.start + index * self.length_us
        self._to = self._from + self.length_us
        self._window = self.windows[index]
        return self._window

    def _join(self) -> None:
        joined: list[Window] = []
        for position, window in enumerate(self.windows):
            if position % 2:
                joined[-1].merge(window)
            else:
                joined.append(window)
        self.windows = joined
        self.length_us *= 2


class Tally:
    """Everything a report is made of that the replicas do not count themselves."""

    __slots__ = ("_cells", "_lengths", "_order", "by_replica", "lag", "shortfall", "timeline", "worst")

    def __init__(self, start: int, lengths: Collection[Length] = ()) -> None:
        """``lengths``: classes of requests that are counted for themselves too."""
        self._cells: dict[Key, Cell] = {}
        self._lengths = lengths
        self.timeline = Timeline(start)
        self.worst: list[tuple[int, int, Dispatch]] = []
        """The requests with the longest time to first token, as a heap, shortest first."""
        self.shortfall: Counter[str] = Counter()
        """Reserved requests we had no capacity for, by tenant."""
        self.by_replica: dict[str, tuple[Sketch, Sketch]] = {}
        """Time to first token and whole answer of the requests that each replica answered."""
        self.lag = ShareLag()
        self._order = 0

    @property
    def cells(self) -> dict[Key, Cell]:
        """With everything counted."""
        for cell in self._cells.values():
            cell.count()
        return self._cells

    def cell(self, key: Key) -> Cell:
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell(classes={length: Cell() for length in self._lengths})
        return found

    def refused(self, tenant: str, tier: str, code: str, now: int, pool: str = "", uncached: int = 0) -> None:
        self.cell((tenant, tier, pool)).refuse(code, uncached)
        self.timeline.at(now).refused += 1
        if code == "reservation_shortfall":
            self.shortfall[tenant] += 1

    def first(self, now: int, ttft: int, dispatch: Dispatch) -> None:
        window = self.timeline.at(now)
        window.ttft_us += ttft
        window.firsts += 1
        worst = self.worst
        if len(worst) < WORST or ttft > worst[0][0]:
            self._order += 1
            entry = (ttft, -self._order, dispatch)
            if len(worst) < WORST:
                heappush(worst, entry)
            else:
                heappushpop(worst, entry)

    def settled(
        self, decision: Decision, dispatch: Dispatch, charge: Charge, ttft: int, e2e: int, now: int
    ) -> None:
        """A completed request, ``e2e`` microseconds after it arrived."""
        usage = charge.usage
        uncached, cached, output = usage.uncached_input, usage.cached_input, usage.output
        cell = self.cell((decision.request.tenant, decision.tier, dispatch.pool))
        pending = cell.pending
        cost, spend = charge.fairness_cost, charge.spend_nano
        due = decision.request.deadline
        own = -1 if due is None else due - decision.request.arrived
        pending.append((ttft, dispatch.queue_us, e2e, uncached, cached, output, cost, spend, own))
        if len(pending) >= PENDING:
            cell.count()
        answered = self.by_replica.get(dispatch.replica)
        if answered is None:
            answered = self.by_replica[dispatch.replica] = (Sketch(), Sketch())
        answered[0].add(ttft)
        answered[1].add(e2e)
        if cost > self.lag.costliest:
            self.lag.costliest = cost
        if decision.reservation == "used":
            cell.lane += 1
        elif decision.reservation == "spilled":
            cell.spilled += 1
        if decision.tier != decision.request.tier:
            cell.downgraded += 1
        window = self.timeline.at(now)
        window.completed += 1
        window.input_tokens += uncached + cached
        window.computed_tokens += uncached
        window.output_tokens += output

    def merged(self, by: Callable[[Key], Any]) -> dict[Any, Cell]:
        """The cells joined by what ``by`` makes of their key, sorted by that."""
        found: dict[Any, Cell] = {}
        for key, cell in self.cells.items():
            found.setdefault(by(key), Cell()).merge(cell)
        return {name: found[name] for name in sorted(found)}

    def total(self) -> Cell:
        return total_of(self.cells.values())


def total_of(cells: Iterable[Cell]) -> Cell:
    total = Cell()
    for cell in cells:
        total.merge(cell)
    return total
