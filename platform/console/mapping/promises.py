"""Is each tier's promise kept? What it promises beside what happened in the last hour, one line a tier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordination.spec import Document
from telemetry.objectives import Kept, kept_of
from telemetry.selectors import TierHour, Waiting, tier_hours, waiting_now

WIDTH, HEIGHT = 120, 28
ENOUGH = 20
"""Requests below which a share says too little."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One tier, as the overview shows it. ``None`` is unknown."""

    tier: str
    says: str
    """The promise that is worst kept; the others are in ``others``."""
    others: tuple[str, ...]
    requests: int
    given: int
    """How often that promise was given: of a class of requests, to those of the class."""
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
        if self.attainment is None or min(self.requests, self.given) < ENOUGH:
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
    worst, *others = sorted(kept_of(tier.spec, hour), key=_left)
    seen = None if waiting is None else waiting.get(tier.spec.band, Waiting(0, 0.0))
    tally = None if hour is None else hour.tally
    return Promise(
        tier=tier.name,
        says=worst.says,
        others=tuple(each.says for each in others),
        requests=0 if tally is None else tally.counts["requests"],
        given=worst.given,
        attainment=100 * worst.kept / worst.given if worst.given else None,
        budget_left=worst.left,
        p95_ms=None if tally is None else tally.milliseconds("ttft", 95),
        spark="" if hour is None else spark(hour.p95_ms),
        depth=None if seen is None else seen.depth,
        oldest_ms=None if seen is None or not seen.depth else seen.oldest_ms,
        shed=() if tally is None else tuple(sorted(tally.refused.items(), key=lambda each: -each[1])[:3]),
    )


def _left(kept: Kept) -> float:
    """Of its budget; all of it while too little was promised to tell."""
    return 100.0 if kept.left is None or kept.given < ENOUGH else min(100.0, kept.left)


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
