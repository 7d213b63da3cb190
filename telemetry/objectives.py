"""For how many requests was what a tier promises kept? Its objectives, held against what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from coordination.compiler.lower import objective as compiled
from coordination.spec.kinds import Tier
from coordination.spec.kinds.objective import USUAL_PERCENTILE, Objective
from coordination.spec.quantities import write_duration, write_percent
from telemetry.selectors import TierHour

TARGET_PPM = 999_000
"""Millionths of the promises given that are meant to be kept, of a tier that states no objective."""
MEASURED = {"ttft": "ttft", "itl": "itl", "tpot": "itl", "e2e": "e2e"}
"""Metric of an objective -> sketch it is read from."""
NAMES = {"ttft": "First token", "itl": "Between tokens", "tpot": "Per token", "e2e": "Whole answer"}


@dataclass(frozen=True, slots=True)
class Kept:
    """One promise of a tier, and for how many of how many requests it was kept."""

    says: str
    target_ppm: int
    kept: int
    given: int

    @property
    def percent(self) -> float | None:
        """Of the promises given, those that were kept; None of nothing."""
        return 100 * self.kept / self.given if self.given else None

    @property
    def holds(self) -> bool | None:
        """Whether as many were kept as is meant to be; None of nothing."""
        return self.kept * 1_000_000 >= self.target_ppm * self.given if self.given else None

    @property
    def left(self) -> float | None:
        return budget_left(self.kept, self.given, self.target_ppm)


def kept_of(tier: Tier, hour: TierHour | None) -> list[Kept]:
    """The tier's objectives; without any, that nobody waits longer than it says. At least one promise.

    What speaks of prompts of some lengths, or of deadlines, was counted by the gateways, by the target that
    was in force; the rest is read off what they measured of all.
    """
    found = [_kept(objective, hour) for objective in tier.objectives]
    if not found:
        most = tier.queue.max_wait
        kept, given = (0, 0) if hour is None else hour.kept(most)
        found.append(Kept(f"Waits {write_duration(most)} at most, answered", TARGET_PPM, kept, given))
    return found


def says(objective: Objective) -> str:
    """In words, with the class it speaks of: ``First token within 400ms for 95%, up to 8,000 uncached input
    tokens``."""
    if objective.metric == "availability":
        return f"{write_percent(objective.target.share or 0)} answered"
    time = write_duration(objective.target.time or 0)
    share = write_percent((objective.percentile or USUAL_PERCENTILE) // 100)
    length = "" if objective.uncached_input is None else f", {objective.uncached_input.says}"
    if objective.metric == "deadline":
        return f"Done by its deadline ({time} where it names none) for {share}{length}"
    return f"{NAMES[objective.metric]} within {time} for {share}{length}"


def _kept(objective: Objective, hour: TierHour | None) -> Kept:
    metric = objective.metric
    if metric == "availability":
        needed = objective.target.share or 0
        kept, given = (0, 0) if hour is None else hour.answered()
    else:
        needed = (objective.percentile or USUAL_PERCENTILE) // 100
        record = compiled(objective)
        if hour is None:
            kept, given = 0, 0
        elif record.counted:
            kept, given = hour.tally.objectives.get(record.key, (0, 0))
        else:
            kept, given = hour.within(MEASURED[metric], record.target)
    return Kept(says(objective), needed, kept, given)


@dataclass(frozen=True, slots=True)
class Counted:
    """A promise that gateways count request by request."""

    key: str
    """Its row of ``fleet.objectives``."""
    tier: str
    says: str


def counted_of(name: str, tier: Tier) -> list[Counted]:
    """The objectives of a tier that are counted, as written."""
    return [
        Counted(f"{name} {record.key}", name, says(objective))
        for objective in tier.objectives
        if objective.metric != "availability" and (record := compiled(objective)).counted
    ]


def budget_left(kept: int, given: int, target_ppm: int = TARGET_PPM) -> float | None:
    """Percent left of what may be broken of the promises given; below zero when more was."""
    if not given:
        return None
    allowed = given * (1_000_000 - target_ppm) / 1_000_000
    broken = given - kept
    return 100 * (1 - broken / allowed) if allowed else (-100.0 if broken else 100.0)
