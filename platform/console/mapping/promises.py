"""Is each tier's promise kept? What it promises beside what happened in the last hour, one line a tier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordination.spec import Document
from coordination.spec.quantities import write_duration, write_percent
from telemetry.selectors import TierHour, Waiting, tier_hours, waiting_now

TARGET_PPM = 999_000
"""Millionths of the promises given that are meant to be kept, of a tier that states no objective."""
MEASURED = {"ttft": "ttft", "itl": "itl", "tpot": "itl", "e2e": "e2e"}
"""Metric of an objective -> sketch it is read from."""
NAMES = {"ttft": "First token", "itl": "Between tokens", "tpot": "Per token", "e2e": "Whole answer"}
WIDTH, HEIGHT = 120, 28
ENOUGH = 20
"""Requests below which a share says too little."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One promise of a tier, and for how many of how many requests it was kept."""

    says: str
    target_ppm: int
    kept: int
    given: int

    @property
    def left(self) -> float | None:
        return budget_left(self.kept, self.given, self.target_ppm)


@dataclass(frozen=True, slots=True)
class Promise:
    """One tier, as the overview shows it. ``None`` is unknown."""

    tier: str
    says: str
    """The promise that is worst kept; the others are in ``others``."""
    others: tuple[str, ...]
    requests: int
    attainment: float | None
    """Percent of requests for which it was kept."""
    budget_left: float | None
    """Percent of the hour's allowance of broken promises that is left; below zero when overdrawn."""
    p95_ms: float | None
    spark: str
    """Points of a polyline in ``WIDTH`` x ``HEIGHT``, the last hour of p95 by minute."""
    depth: int | None
    oldest_ms: float | None
    shed: tuple[tuple[str, int], ...]
    """(code, requests turned away), the most first."""

    @property
    def state(self) -> str:
        if self.attainment is None or self.requests < ENOUGH:
            return "unknown"
        if self.budget_left is not None and self.budget_left <= 0:
            return "bad"
        return "warn" if self.budget_left is not None and self.budget_left < 50 else "ok"

    @property
    def word(self) -> str:
        return {"unknown": "Too few requests", "bad": "Broken", "warn": "Strained", "ok": "Kept"}[self.state]


def promises(environment: str, documents: Iterable[Document]) -> list[Promise]:
    """Every tier, the highest band first."""
    hours, waiting = tier_hours(environment), waiting_now(environment)
    tiers = sorted((d for d in documents if d.kind == "Tier"), key=lambda d: (-d.spec.band, d.name))
    return [_promise(tier, hours.get(tier.name), waiting) for tier in tiers]


def _promise(tier: Document, hour: TierHour | None, waiting: dict[int, Waiting] | None) -> Promise:
    worst, *others = sorted(
        _given(tier, hour), key=lambda each: 100.0 if each.left is None else min(100.0, each.left)
    )
    seen = None if waiting is None else waiting.get(tier.spec.band, Waiting(0, 0.0))
    tally = None if hour is None else hour.tally
    return Promise(
        tier=tier.name,
        says=worst.says,
        others=tuple(each.says for each in others),
        requests=0 if tally is None else tally.counts["requests"],
        attainment=100 * worst.kept / worst.given if worst.given else None,
        budget_left=worst.left,
        p95_ms=None if tally is None else tally.milliseconds("ttft", 95),
        spark="" if hour is None else spark(hour.p95_ms),
        depth=None if seen is None else seen.depth,
        oldest_ms=None if seen is None or not seen.depth else seen.oldest_ms,
        shed=() if tally is None else tuple(sorted(tally.refused.items(), key=lambda each: -each[1])[:3]),
    )


def _given(tier: Document, hour: TierHour | None) -> list[Kept]:
    """The tier's objectives that are measured; without any, that nobody waits longer than it says.

    One for prompts of some lengths alone is not: what gateways count is not told apart by length yet.
    """
    found = []
    for objective in tier.spec.objectives:
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
        most = tier.spec.queue.max_wait
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


def spark(values: Sequence[float | None]) -> str:
    """Points of a polyline, zero at the bottom; unknown minutes are left out."""
    top = max((value for value in values if value is not None), default=0.0)
    if not top:
        return ""
    step = WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{at * step:.1f},{HEIGHT - 2 - (HEIGHT - 4) * value / top:.1f}"
        for at, value in enumerate(values)
        if value is not None
    )
