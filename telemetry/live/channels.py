"""What does a channel hold, and which frames bring somebody from what they hold to what it holds now?

A table channel is rows by key, columns by metric. Each step is one frame: ``d`` names the cells that
changed by their place (row x columns + column), ``rows`` says which rows came and went. Steps of the last
two minutes are kept: whoever was away for less gets just those, and no snapshot. Frames are encoded once;
a subscription's number is put before them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from telemetry.series.tables import Cells

RING_MS = 120_000
EVENTS_KEPT = 500
MOST_STEPS = 10
"""Steps that somebody who lags is sent one by one."""
FIRST_EVENTS = 50
"""Events shown to somebody who begins to listen."""


@dataclass(frozen=True, slots=True)
class Step:
    """From ``seq - 1`` to ``seq``."""

    seq: int
    ts: int
    kind: str
    """``d`` or ``rows``."""
    body: bytes
    changed: tuple[int, ...]


def framed(kind: str, subscription: int, body: bytes) -> bytes:
    """``body``: the members of a frame after its kind and its subscription, without the opening brace."""
    return b'{"t":"%b","id":%d,%b' % (kind.encode(), subscription, body)


class TableChannel:
    """One table of one environment, or of one tenant in it."""

    def __init__(self, epoch: str, metrics: tuple[str, ...], units: tuple[str, ...]) -> None:
        self.epoch = epoch
        self.metrics = metrics
        self.units = units
        self.seq = 0
        self.ts = 0
        """Of the data, milliseconds of our clock: the end of the second it tells of."""
        self.keys: list[str] = []
        self.cells: list[list[float | None]] = []
        self._steps: deque[Step] = deque()
        self._frames: dict[tuple[int, int], list[bytes]] = {}
        """(subscription, from) -> frames to now, while now lasts: most ask for the same."""

    def advance(self, ts: int, rows: Mapping[str, Cells]) -> None:
        """The table at ``ts`` is ``rows``. One step, or two when rows came or went."""
        self._frames.clear()
        held = dict(zip(self.keys, range(len(self.keys)), strict=True))
        gone = [key for key in self.keys if key not in rows]
        new = sorted(key for key in rows if key not in held)
        if gone or new:
            kept = [at for at, key in enumerate(self.keys) if key in rows]
            self.keys = [self.keys[at] for at in kept]
            self.cells = [self.cells[at] for at in kept]
            for key in new:
                self.keys.append(key)
                self.cells.append(list(rows[key]))
            add = [[key, rows[key]] for key in new]
            self._step("rows", ts, {"add": add, "del": gone}, ())
        changes: list[float | int | None] = []
        width = len(self.metrics)
        for row, key in enumerate(self.keys):
            cells = self.cells[row]
            for column, value in enumerate(rows[key]):
                if cells[column] != value:
                    cells[column] = value
                    changes += (row * width + column, value)
        self._step("d", ts, {"c": changes}, tuple(int(at or 0) for at in changes[::2]))
        while self._steps and self._steps[0].ts < ts - RING_MS:
            self._steps.popleft()

    def _step(self, kind: str, ts: int, members: dict[str, Any], changed: tuple[int, ...]) -> None:
        self.seq += 1
        self.ts = ts
        body = _body({"e": self.epoch, "q": self.seq, "p": self.seq - 1, "ts": ts, **members})
        self._steps.append(Step(self.seq, ts, kind, body, changed))

    def snapshot(self, subscription: int) -> bytes:
        members = {
            "e": self.epoch,
            "q": self.seq,
            "ts": self.ts,
            "k": self.keys,
            "m": self.metrics,
            "u": self.units,
            "v": self.cells,
        }
        return framed("snap", subscription, _body(members))

    def remembers(self, epoch: str, seq: int) -> bool:
        """Whether somebody who holds ``seq`` of ``epoch`` can be brought up to now step by step."""
        if epoch != self.epoch or seq > self.seq:
            return False
        return seq == self.seq or (bool(self._steps) and self._steps[0].seq <= seq + 1)

    def replay(self, subscription: int, seq: int) -> list[bytes]:
        """Every step after ``seq``, each its own frame: a chart gets each of its points."""
        return [framed(step.kind, subscription, step.body) for step in self._steps if step.seq > seq]

    def catch_up(self, subscription: int, seq: int) -> list[bytes]:
        """The fewest frames from ``seq`` to now: one, unless rows came or went meanwhile."""
        found = self._frames.get((subscription, seq))
        if found is None:
            found = self._frames[subscription, seq] = self._catch_up(subscription, seq)
        return found

    def _catch_up(self, subscription: int, seq: int) -> list[bytes]:
        if not self.remembers(self.epoch, seq):
            return [self.snapshot(subscription)]
        steps = [step for step in self._steps if step.seq > seq]
        if any(step.kind == "rows" for step in steps):
            # Places mean other cells before and after it: step by step, or anew.
            if len(steps) <= MOST_STEPS:
                return [framed(step.kind, subscription, step.body) for step in steps]
            return [self.snapshot(subscription)]
        if len(steps) <= 1:
            return [framed(step.kind, subscription, step.body) for step in steps]
        width = len(self.metrics)
        changes: list[float | int | None] = []
        for at in sorted({at for step in steps for at in step.changed}):
            changes += (at, self.cells[at // width][at % width])
        members = {"e": self.epoch, "q": self.seq, "p": seq, "ts": self.ts, "c": changes}
        return [framed("d", subscription, _body(members))]


class EventChannel:
    """Things that happened, none left out: whoever is too late for one is told so."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.seq = 0
        self._events: deque[tuple[int, bytes]] = deque(maxlen=EVENTS_KEPT)

    def happened(self, kind: str, at_ms: int, facts: Mapping[str, Any]) -> None:
        self.seq += 1
        body = _body(
            {"e": self.epoch, "q": self.seq, "p": self.seq - 1, "ts": at_ms, "k": kind, "facts": facts}
        )
        self._events.append((self.seq, body))

    def first(self) -> int:
        """The number after which somebody begins who held nothing."""
        return max(0, self.seq - FIRST_EVENTS, self._events[0][0] - 1 if self._events else self.seq)

    def remembers(self, epoch: str, seq: int) -> bool:
        return epoch == self.epoch and seq <= self.seq

    def catch_up(self, subscription: int, seq: int) -> list[bytes]:
        """Every event after ``seq``, after a ``gap`` if some of them are gone."""
        frames = [framed("evt", subscription, body) for number, body in self._events if number > seq]
        oldest = self._events[0][0] if self._events else self.seq + 1
        if seq + 1 < oldest and seq < self.seq:
            gap = {"e": self.epoch, "from": seq, "why": "history"}
            frames.insert(0, framed("gap", subscription, _body(gap)))
        return frames


Channel = TableChannel | EventChannel


def _body(members: Mapping[str, Any]) -> bytes:
    return orjson.dumps(members)[1:]
