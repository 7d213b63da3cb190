"""Latencies that a gateway recorded (``headway gateway --record``): what each replica was sent, and when it
answered.

Compared are the prefill before each first token and each answer's mean gap between tokens, under the batch
that the recording itself shows (``timeline``). How the fitted profile does without that help is told by a
replay of all that was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from coordination.calibration.evidence import EvidenceError, Seen
from coordination.calibration.replay import Attempt, replay
from coordination.calibration.timeline import Timeline
from coordination.capacity import Profile, StepModel
from coordination.traces import TraceError
from coordination.traces.recorded import Lines, Recorded

MOST_REQUESTS: Final = 2000
"""Answers that a fit goes through, a hundred times: further ones are left out."""
FEWEST: Final = 20


class Recording:
    """Evidence of whole answers. The last fifth of the time is held out."""

    source = "recording"
    extra = ("outside the engine, seconds", 0.001)

    def __init__(
        self,
        file: str,
        lines: Iterable[tuple[int, str]],
        base: Profile,
        *,
        model: str | None = None,
        sequences: int | None = None,
        kv_tokens: int | None = None,
    ) -> None:
        """``lines``: numbered, from the opening on. ``model``: only what asked for it. Raises
        ``EvidenceError``."""
        found, self.notes = _answered(file, lines, model)
        if len(found) < FEWEST:
            raise EvidenceError(
                file,
                0,
                f"{len(found)} answers with a replica's times, at least {FEWEST} are needed: "
                "record them with this version's gateway",
            )
        self._sequences = sequences or base.max_sequences
        self._kv_tokens = kv_tokens or base.kv_tokens
        origin = min(one.sent or 0 for one in found)
        latest = max(one.ended for one in found)
        judged_from = (latest - origin) * 0.8 / 1e6
        by_replica: dict[str, list[Attempt]] = {}
        for one in sorted(found, key=lambda each: (each.sent or 0, each.ended)):
            by_replica.setdefault(one.replica or "", []).append(_attempt(one, origin))
        self._replicas = list(by_replica.values())
        self._timelines = [Timeline(attempts) for attempts in self._replicas]
        compared = [one for timeline in self._timelines for one in timeline.compared]
        self.measured = [one.seconds for one in compared]
        self.names = [one.name for one in compared]
        self.held_out = [one.at >= judged_from for one in compared]
        whole = sum(one.first is None for one in found)
        if whole:
            self.notes += (f"{whole} answers came in one piece: they count as load, and their times do not",)
        self.seen = Seen(
            max(one.most_decodes for one in self._timelines),
            max(one.most_prefill for one in self._timelines),
            max(one.uncached + one.cached + one.output for each in self._replicas for one in each),
        )

    def replayed(self, model: StepModel, extra: float) -> dict[str, tuple[list[float], list[float]]]:
        """Measure -> what was recorded and what an engine of this model comes to by itself, sorted."""
        found: dict[str, tuple[list[float], list[float]]] = {"ttft": ([], []), "itl": ([], [])}
        for attempts in self._replicas:
            times = replay(model, attempts, sequences=self._sequences, kv_tokens=self._kv_tokens)
            for one, (first, ended) in zip(attempts, times, strict=True):
                if one.first is None:
                    continue
                found["ttft"][0].append(one.first - one.sent)
                found["ttft"][1].append(first - one.sent + extra)
                if one.output > 1:
                    found["itl"][0].append((one.ended - one.first) / (one.output - 1))
                    found["itl"][1].append((ended - first) / (one.output - 1))
        return {name: (sorted(a), sorted(b)) for name, (a, b) in found.items() if a}

    def expected(self, model: StepModel, extra: float) -> list[float]:
        return [seconds for one in self._timelines for seconds in one.expected(model, extra)]


def _answered(
    file: str, lines: Iterable[tuple[int, str]], model: str | None
) -> tuple[list[Recorded], tuple[str, ...]]:
    found: list[Recorded] = []
    models: set[str] = set()
    silent = more = 0
    try:
        numbered = iter(lines)
        first = next(numbered, None)
        if first is None:
            raise EvidenceError(file, 0, "the recording is empty")
        reader = Lines(file, *first)
        for number, text in numbered:
            one = reader.record(number, text)
            if model is not None and one.model != model:
                continue
            if one.replica is None or one.sent is None or one.cached is None:
                silent += 1
                continue
            if not one.at <= one.sent <= (one.first or one.ended) <= one.ended:
                raise EvidenceError(file, number, "sent, first and ended are not in this order")
            if one.cached >= one.input_tokens + 1:
                raise EvidenceError(file, number, "more tokens cached than the prompt has")
            models.add(one.model)
            if len(found) < MOST_REQUESTS:
                found.append(one)
            else:
                more += 1
    except TraceError as problem:
        raise EvidenceError(file, problem.line, problem.message) from None
    if len(models) > 1:
        listed = ", ".join(sorted(models)[:8])
        raise EvidenceError(file, 0, f"it is of several models ({listed}): choose one with --model")
    notes = []
    if silent:
        notes.append(
            f"{silent} of {silent + len(found) + more} requests were refused, broken off or recorded "
            "without a replica's times: what a replica did for them is not accounted for"
        )
    if more:
        notes.append(f"the first {MOST_REQUESTS} answers are used; {more} further ones are not")
    return found, tuple(notes)


def _attempt(one: Recorded, origin: int) -> Attempt:
    cached = min(one.cached or 0, one.input_tokens - 1)
    first = None if one.first is None else (one.first - origin) / 1e6
    return Attempt(
        sent=((one.sent or 0) - origin) / 1e6,
        uncached=one.input_tokens - cached,
        cached=cached,
        output=one.output_tokens,
        first=first,
        ended=(one.ended - origin) / 1e6,
    )
