"""How fast was each tier for a tenant, against what the tier promises?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordination.spec import Document
from portal.selectors.contract import Contract
from portal.selectors.latency import TierSeen


@dataclass(frozen=True, slots=True)
class Row:
    """One tier the tenant may use. The promise is its longest wait, the only time a tier states."""

    tier: Document
    seen: TierSeen

    @property
    def waited(self) -> float | None:
        """95 % waited at most this percentage of the promise; None when nothing was measured."""
        wait, most = self.seen.wait_p95, self.tier.spec.queue.max_wait
        return None if wait is None or not most else wait * 100 / most

    @property
    def state(self) -> str:
        if self.waited is None:
            return "unknown"
        return "ok" if self.waited <= 100 else "bad"


def rows(contract: Contract, seen: Mapping[str, TierSeen]) -> list[Row]:
    """The highest band first."""
    return [Row(tier, seen.get(tier.name, TierSeen(tier.name))) for tier in contract.tiers]
