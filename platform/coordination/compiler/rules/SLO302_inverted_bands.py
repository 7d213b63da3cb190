"""SLO302: a lower band promises more than a higher one, which is served first."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import Promise, promises
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration, write_percent

RULE = Rule("SLO302", "warning", "Promises against the bands")
NEEDS_WHOLE = False
METRICS = ("ttft", "itl", "tpot", "e2e", "deadline", "availability")


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """For each objective, the highest band below whose tenants it is stricter; once each."""
    tiers = sorted(catalogue.tiers.values(), key=lambda t: (-t.spec.band, t.name))
    for metric in METRICS:
        above: list[Promise] = []
        for tier in tiers:
            mine = list(promises(tier, metric))
            for promise in mine:
                other = next((o for o in above if _stricter(promise, o)), None)
                if other is not None:
                    yield report(
                        RULE,
                        tier.document,
                        f"{promise.path}/target",
                        f"`{tier.name}` (band {tier.spec.band}) promises {promise.said} {_said(promise)}, "
                        f"and `{other.tier.name}` (band {other.tier.spec.band}), which goes first, "
                        f"{_said(other)}",
                        related=(see(other.tier.document, f"{other.path}/target", "the weaker promise"),),
                        notes=("Under pressure the lower band waits for the higher one.",),
                    )
            above += mine


def _stricter(low: Promise, high: Promise) -> bool:
    """Whether the lower band's promise is at least as wide, and tighter."""
    if low.tier.spec.band >= high.tier.spec.band:
        return False
    if low.objective.metric == "availability":
        return (low.objective.target.share or 0) > (high.objective.target.share or 0)
    return low.target < high.target and low.percentile >= high.percentile and _covers(low, high)


def _covers(low: Promise, high: Promise) -> bool:
    mine, theirs = low.objective.uncached_input, high.objective.uncached_input
    if mine is None:
        return True
    if theirs is None or mine.min > theirs.min:
        return False
    return mine.max is None or (theirs.max is not None and theirs.max <= mine.max)


def _said(promise: Promise) -> str:
    if promise.objective.target.share is not None:
        return f"of {write_percent(promise.objective.target.share)}"
    return f"within {write_duration(promise.target)}"
