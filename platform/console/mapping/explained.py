"""What does the explanation of one request say, in the order a person asks? From its document, as it came.

A document may be of an older or newer gateway: what is not there is left out, and nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coordination.scheduling.figures import figure, named
from coordination.spec.kinds.objective import TIMES, Bound, Length, Objective
from telemetry.objectives import says

Document = Mapping[str, Any]
STEPS = (
    ("decided", "Decided"),
    ("placed", "Waited for a place"),
    ("sent", "Reached the replica"),
    ("first_byte", "First byte"),
    ("finished", "Finished"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of the request's time, as a part of the whole in ``0..1000``."""

    name: str
    took_us: int
    at_us: int
    begin: int
    length: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Something predicted at admission, beside what came of it."""

    name: str
    predicted: int | None
    actual: int | None
    unit: str

    @property
    def difference(self) -> int | None:
        if self.predicted is None or self.actual is None:
            return None
        return self.actual - self.predicted


@dataclass(frozen=True, slots=True)
class Rule:
    rule: str
    says: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    """(what, how much), in words."""


def course(document: Document) -> list[Step]:
    """Where the time went."""
    times = part(document, "timings_us")
    known = [(name, times[key]) for key, name in STEPS if isinstance(times.get(key), int)]
    whole = max((at for _, at in known), default=0) or 1
    found, before = [], 0
    for name, at in known:
        begin = 1000 * before // whole
        found.append(Step(name, at - before, at, begin, max(2, 1000 * at // whole - begin)))
        before = at
    return found


def rules(document: Document) -> list[Rule]:
    """What was decided, rule by rule."""
    steps = part(document, "decision").get("steps")
    return [
        Rule(str(step.get("rule", "")), str(step.get("says", "")), _facts(step))
        for step in (steps if isinstance(steps, list) else [])
        if isinstance(step, dict)
    ]


def attempts(document: Document) -> list[Document]:
    """Each try, with the replicas that were considered for it."""
    found = document.get("attempts")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def candidates(attempt: Document) -> list[Document]:
    found = attempt.get("candidates")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def compared(document: Document) -> list[Compared]:
    """Predicted against actual."""
    hold = part(part(document, "decision"), "hold")
    tokens = part(part(document, "charge"), "tokens")
    if not hold:
        return []
    found = [
        Compared(name.replace("_", " "), _whole(hold.get(name)), _whole(tokens.get(name)), "tokens")
        for name in ("uncached_input", "cached_input", "output")
    ]
    tried = attempts(document)
    if tried:
        times = part(document, "timings_us")
        chosen: Document = next((one for one in candidates(tried[-1]) if one.get("chosen")), {})
        placed, first = _whole(times.get("placed")), _whole(times.get("first_byte"))
        actual = (
            first - placed if first is not None and placed is not None and document.get("stream") else None
        )
        found.append(Compared("place to first byte", _whole(chosen.get("score_us")), actual, "µs"))
    return found


@dataclass(frozen=True, slots=True)
class Held:
    """One promise of its tier, and what the request says of it."""

    says: str
    kept: int
    given: int

    @property
    def word(self) -> str:
        if self.given == 1:
            return "kept" if self.kept else "missed"
        return f"{self.kept:,} of {self.given:,} kept"

    @property
    def state(self) -> str:
        return "ok" if self.kept == self.given else "warn"


def promises(document: Document) -> list[Held]:
    """What it was held against as it ended."""
    found = document.get("objectives")
    return [held for one in found if (held := _held(one))] if isinstance(found, list) else []


def _held(one: object) -> Held | None:
    if not isinstance(one, dict):
        return None
    kept, given, target = (_whole(one.get(name)) for name in ("kept", "given", "target_us"))
    percentile, length = one.get("percentile"), one.get("uncached_input")
    metric = str(one.get("metric", ""))
    if metric not in TIMES or None in (kept, given, target) or not isinstance(percentile, int | float):
        return None
    ends = length if isinstance(length, dict) else {}
    objective = Objective(
        metric=metric,
        percentile=round(percentile * 1_000_000),
        target=Bound(time=target),
        uncached_input=Length(min=_whole(ends.get("min")) or 0, max=_whole(ends.get("max")))
        if ends
        else None,
    )
    return Held(says(objective), kept or 0, given or 0)


def _facts(step: Document) -> list[tuple[str, str]]:
    return [(named(str(name)), figure(str(name), value)) for name, value in part(step, "facts").items()]


def part(document: Document, name: str) -> Document:
    """A part that should be an object; empty when it is anything else."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
