"""How fast was each tier for a tenant, against what the tier promises?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coordination.spec import Document
from portal.selectors.contract import Contract
from telemetry.objectives import Kept, kept_of
from telemetry.selectors import TierHour, TierLatency


@dataclass(frozen=True, slots=True)
class Row:
    """One tier the tenant may use."""

    tier: Document
    seen: TierLatency | None
    """None: no request of the tenant's ended in it."""
    promises: tuple[Kept, ...]
    """Its objectives, or its longest wait where it states none; the worst kept first."""

    @property
    def requests(self) -> int:
        return self.seen.requests if self.seen else 0

    @property
    def kept(self) -> float | None:
        """Percent of the requests for which the worst kept promise was kept; None when none was measured."""
        return self.promises[0].percent

    @property
    def state(self) -> str:
        holds = self.promises[0].holds
        return "unknown" if holds is None else "ok" if holds else "bad"


def rows(contract: Contract, seen: Iterable[TierLatency]) -> list[Row]:
    """The highest band first."""
    by_tier = {each.tier: each for each in seen}
    return [_row(tier, by_tier.get(tier.name)) for tier in contract.tiers]


def _row(tier: Document, seen: TierLatency | None) -> Row:
    hour = None if seen is None else TierHour(seen.tier, seen.tally, ())
    found = sorted(kept_of(tier.spec, hour), key=lambda each: 100.0 if each.left is None else each.left)
    return Row(tier, seen, tuple(found))
