"""What was a replica at while it answered? Its steps, reckoned from when its answers began and ended.

A request's times depend on what else its replica did, and replaying that under a step model is chaotic: a
request that misses a step by a hair waits for the next. So the batch is taken from the recording instead:
between two events (a first token, a last one) the same sequences decode, and each first token ends the
prefill steps of its prompt. What is left to the model is how long those steps take, which changes smoothly
with its coefficients.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from coordination.calibration.replay import Attempt
from coordination.capacity import CHUNK_TOKENS, StepModel

TOGETHER: Final = 0.002
"""Seconds: first tokens as near as this came out of one step."""


@dataclass(slots=True)
class _Stretch:
    """Between two events."""

    since: float
    decodes: int
    context: int
    steps: float
    """Decode steps in it, as its sequences' own pace has it."""


@dataclass(slots=True)
class _Prefill:
    """The prefill steps that ended with one or more first tokens."""

    since: float
    """When its first step can have begun, ..."""
    until: float
    arrived: bool
    """... and whether a request's arrival began it, not the end of the prefill before it."""
    chunks: list[tuple[int, float]]
    """(prompt tokens, attended) of each step."""
    decodes: int
    context: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measured time: the prefill that gave a first token, or a request's mean gap between tokens."""

    name: str
    seconds: float
    at: float
    """When it ended."""


class Timeline:
    """One replica's. ``attempts`` in order of ``sent``."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._stretches = _stretches(attempts)
        self._starts = [one.since for one in self._stretches]
        self._prefills = _prefills(attempts, self._stretches, self._starts)
        self._until = [one.until for one in self._prefills]
        self._gaps: list[tuple[int, int, int, int, float, int]] = []
        self.compared: list[Comparison] = [
            Comparison("prefill", one.until - one.since, one.until) for one in self._prefills
        ]
        paces = list(accumulate((one.steps for one in self._stretches), initial=0.0))
        self._paces = paces
        for one in attempts:
            if one.first is None or one.output < 2 or one.ended <= one.first:
                continue
            low, high = bisect_left(self._starts, one.first), bisect_left(self._starts, one.ended)
            if paces[high] - paces[low] <= 0.0:
                continue
            after, last = bisect_right(self._until, one.first), bisect_right(self._until, one.ended)
            part = 0.0  # of a prefill that was under way when the answer ended
            if last < len(self._prefills):
                next_ = self._prefills[last]
                if next_.since < one.ended:
                    part = (one.ended - next_.since) / (next_.until - next_.since)
            self._gaps.append((low, high, after, last, part, one.output - 1))
            self.compared.append(Comparison("itl", (one.ended - one.first) / (one.output - 1), one.ended))
        self.most_decodes = max((one.decodes for one in self._stretches), default=0)
        self.most_prefill = max((max(n for n, _ in one.chunks) for one in self._prefills), default=0)

    def expected(self, model: StepModel, overhead: float) -> list[float]:
        """Seconds of each comparison, in their order."""
        seconds = model.seconds
        steps = [
            one.steps and one.steps * seconds(one.decodes, 0.0, one.decodes, one.context)
            for one in self._stretches
        ]
        decoding = list(accumulate(steps, initial=0.0))
        prefills: list[float] = []
        found: list[float] = []
        for one in self._prefills:
            decodes, context = one.decodes, one.context
            took = sum(seconds(n + decodes, attended, decodes, context) for n, attended in one.chunks)
            prefills.append(took)
            if one.arrived:  # in the midst of a step, if anything was computed
                took += overhead
                if decodes:
                    took += seconds(decodes, 0.0, decodes, context) / 2
            found.append(took)
        total = list(accumulate(prefills, initial=0.0))
        chunks = list(accumulate((len(one.chunks) for one in self._prefills), initial=0))
        paces = self._paces
        for low, high, after, last, part, gaps in self._gaps:
            between = total[last] - total[after]
            taken: float = chunks[last] - chunks[after]
            if part:
                between += part * prefills[last]
                taken += part * len(self._prefills[last].chunks)
            plain = (decoding[high] - decoding[low]) / (paces[high] - paces[low])
            found.append((between + max(0.0, gaps - taken) * plain) / gaps)
        return found


def _stretches(attempts: Sequence[Attempt]) -> list[_Stretch]:
    """In order; the last is empty."""
    changes: list[tuple[float, int, float, float]] = []
    for one in attempts:
        since = one.sent if one.first is None else one.first
        if one.output < 2 or one.ended <= since:
            continue
        pace = (one.output - 1) / (one.ended - since)
        grown = one.uncached + one.cached - since * pace
        changes += ((since, 1, pace, grown), (one.ended, -1, -pace, -grown))
    changes.sort()
    found: list[_Stretch] = []
    decodes, pace, grown = 0, 0.0, 0.0
    for position, (at, change, faster, more) in enumerate(changes):
        decodes, pace, grown = decodes + change, pace + faster, grown + more
        ends = changes[position + 1][0] if position + 1 < len(changes) else at
        if ends > at or position + 1 == len(changes):
            middle = (at + ends) / 2
            context = max(0, round(grown + middle * pace)) if decodes else 0
            steps = (ends - at) * pace / decodes if decodes else 0.0
            found.append(_Stretch(at, decodes, context, steps))
    return found


def _prefills(
    attempts: Sequence[Attempt], stretches: Sequence[_Stretch], starts: Sequence[float]
) -> list[_Prefill]:
    """In order of their first tokens."""
    streamed = sorted(
        (one.first, one.sent, one.uncached, one.cached) for one in attempts if one.first is not None
    )
    found: list[_Prefill] = []
    ended = float("-inf")
    position = 0
    while position < len(streamed):
        first = streamed[position][0]
        group = [streamed[position]]
        position += 1
        while position < len(streamed) and streamed[position][0] - first <= TOGETHER:
            group.append(streamed[position])
            position += 1
        until = group[-1][0]
        sent = min(one[1] for one in group)
        since = max(sent, ended)
        at = bisect_left(starts, first) - 1  # what decoded just before
        decodes, context = (stretches[at].decodes, stretches[at].context) if at >= 0 else (0, 0)
        room = max(1, CHUNK_TOKENS - decodes)
        tokens = sum(one[2] for one in group)
        attended = sum(one[2] * (one[3] + one[2] / 2) for one in group)
        full, rest = divmod(tokens, room)
        sizes = [room] * full + ([rest] if rest else [])
        chunks = [(size, attended * size / tokens) for size in sizes]
        if until > since:
            found.append(_Prefill(since, until, sent > ended, chunks, decodes, context))
        ended = until
    return found
