"""How fast was each tier for a tenant, against what the tier promises?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coordination.spec import Document
from portal.selectors.contract import Contract
from telemetry.selectors import TierLatency

NEARLY_ALL = 0.95
"""A promise counts as held while at least this part of the requests had what it says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tier the tenant may use. The promise is its longest wait, the only time a tier states."""

    tier: Document
    seen: TierLatency | None
    """None: no request of the tenant's ended in it."""

    @property
    def requests(self) -> int:
        return self.seen.requests if self.seen else 0

    @property
    def kept(self) -> float | None:
        """Percent of its requests that waited no longer than promised; None when none was measured."""
        part = self.seen.within("queue", self.tier.spec.queue.max_wait) if self.seen else None
        return None if part is None else part * 100

    @property
    def waited(self) -> float | None:
        """What 95 % waited at most, as percent of the promise."""
        wait = self.seen.queue_p95_ms if self.seen else None
        most = self.tier.spec.queue.max_wait / 1000
        return None if wait is None or not most else wait * 100 / most

    @property
    def state(self) -> str:
        if self.kept is None:
            return "unknown"
        return "ok" if self.kept >= NEARLY_ALL * 100 else "bad"


def rows(contract: Contract, seen: Iterable[TierLatency]) -> list[Row]:
    """The highest band first."""
    by_tier = {each.tier: each for each in seen}
    return [Row(tier, by_tier.get(tier.name)) for tier in contract.tiers]
