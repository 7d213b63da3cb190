"""SLO306: the minimum shares of the tiers that share a pool come to more than the whole of it."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import pools_by_tier
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.program.records import MILLION
from coordination.spec.quantities import write_percent

RULE = Rule("SLO306", "error", "Minimum shares over the whole")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    sharing: dict[str, list[str]] = {}
    for tier, pools in pools_by_tier(catalogue).items():
        if catalogue.tiers[tier].spec.minimum_share:
            for pool in pools:
                sharing.setdefault(pool.name, []).append(tier)
    told: set[tuple[str, ...]] = set()
    for pool_name, names in sorted(sharing.items()):
        tiers = [catalogue.tiers[name] for name in names]
        total = sum(tier.spec.minimum_share for tier in tiers)
        if total <= MILLION or tuple(names) in told:
            continue
        told.add(tuple(names))
        tiers.sort(key=lambda t: (t.spec.band, t.name))
        shares = ", ".join(f"{t.name} {write_percent(t.spec.minimum_share)}" for t in tiers)
        yield report(
            RULE,
            tiers[0].document,
            "/spec/minimum_share",
            f"minimum shares of pool `{pool_name}` come to {write_percent(total)}",
            related=tuple(
                see(t.document, "/spec/minimum_share", f"the share of `{t.name}`") for t in tiers[1:]
            ),
            notes=(f"When all of them have work: {shares}.",),
        )
