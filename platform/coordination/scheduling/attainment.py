"""Was what a tier promises kept by one request that is over?

Asked is only what no sketch of the tier's can tell: a promise to requests of some lengths, and deadlines.
A request's class goes by the prompt tokens its engine computed, which are known at its end; where the engine
never said, by the gateway's own count, the one that is charged.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordination.program.records import Micros, ObjectiveRecord

BROKEN = frozenset(
    {
        "capacity_exceeded",
        "reservation_shortfall",
        "deadline_unmeetable",
        "internal_error",
        "upstream_failed",
        "upstream_timeout",
    }
)
"""Codes that say that we did not do what was asked: the others tell of a caller's own limit or mistake."""


class Gaps:
    """Of the times between the tokens of one stream, how many were within each of some bounds."""

    __slots__ = ("total", "within")

    def __init__(self, bounds: tuple[Micros, ...]) -> None:
        self.total = 0
        self.within = dict.fromkeys(bounds, 0)

    def passed(self, tokens: int, since: Micros) -> None:
        """A read brought ``tokens`` (>= 1), ``since`` the read before it."""
        self.total += tokens
        within = self.within
        for bound in within:
            if since // tokens <= bound:
                within[bound] += tokens


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended, counted from its arrival."""

    uncached: int
    """Prompt tokens that were computed for it, or would have been."""
    lasted: Micros
    done: bool
    """Answered wholly."""
    broken: bool
    """It was not, and that is ours (``BROKEN``)."""
    ttft: Micros | None = None
    """Of a streamed answer whose first byte came."""
    deadline: Micros | None = None
    """Of its own."""
    gaps: Gaps | None = None


def counted(objective: ObjectiveRecord, ending: Ending) -> tuple[int, int]:
    """(kept, given): how often the promise was kept, of how often it was given. Of ``itl`` and ``tpot`` once
    for each time between two tokens, of the others once at most.

    A deadline is the request's own, or the target where it named none. Whoever leaves, or is refused for its
    own sake, before that was given no promise.
    """
    if not objective.covers(ending.uncached):
        return 0, 0
    target = objective.target
    match objective.metric:
        case "ttft":
            return (0, 0) if ending.ttft is None else (int(ending.ttft <= target), 1)
        case "e2e":
            return (int(ending.lasted <= target), 1) if ending.done else (0, 0)
        case "deadline":
            due = target if ending.deadline is None else ending.deadline
            if ending.done:
                return int(ending.lasted <= due), 1
            return 0, int(ending.broken or ending.lasted > due)
    gaps = ending.gaps
    return (0, 0) if gaps is None or target not in gaps.within else (gaps.within[target], gaps.total)
