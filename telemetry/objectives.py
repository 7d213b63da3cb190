"""For how many requests was what a tier promises kept? Its objectives, held against what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from coordination.spec.kinds import Tier
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
    """The tier's objectives that are measured; without any, that nobody waits longer than it says.

    At least one promise. One for prompts of some lengths alone is not among them: what gateways count is
    not told apart by length yet.
    """
    found = []
    for objective in tier.objectives:
        if objective.metric == "availability":
            kept, given = (0, 0) if hour is None else hour.answered()
            share = objective.target.share or 0
            found.append(Kept(f"{write_percent(share)} answered", share, kept, given))
        elif objective.metric in MEASURED and objective.uncached_input is None:
            most, ppm = objective.target.time or 0, (objective.percentile or 95_000_000) // 100
            kept, given = (0, 0) if hour is None else hour.within(MEASURED[objective.metric], most)
            says = f"{NAMES[objective.metric]} within {write_duration(most)} for {write_percent(ppm)}"
            found.append(Kept(says, ppm, kept, given))
    if not found:
        most = tier.queue.max_wait
        kept, given = (0, 0) if hour is None else hour.kept(most)
        found.append(Kept(f"Waits {write_duration(most)} at most, answered", TARGET_PPM, kept, given))
    return found


def budget_left(kept: int, given: int, target_ppm: int = TARGET_PPM) -> float | None:
    """Percent left of what may be broken of the promises given; below zero when more was."""
    if not given:
        return None
    allowed = given * (1_000_000 - target_ppm) / 1_000_000
    broken = given - kept
    return 100 * (1 - broken / allowed) if allowed else (-100.0 if broken else 100.0)
