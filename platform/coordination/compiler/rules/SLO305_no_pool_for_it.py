"""SLO305: no pool that a tier's requests are sent to could keep its objective, or there is none."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import floors, pools_by_tier, promises, prompt_of, shown
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration

RULE = Rule("SLO305", "error", "Objective that no pool can keep")
NEEDS_WHOLE = True
MOST_SHOWN = 5


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    by_tier = pools_by_tier(catalogue)
    for tier in catalogue.tiers.values():
        pools = by_tier[tier.name]
        if tier.spec.objectives and not pools:
            yield report(
                RULE,
                tier.document,
                "/spec/objectives",
                f"`{tier.name}` has objectives, and no route sends its requests to any pool",
                on="key",
                notes=("What is never served keeps no promise.",),
            )
            continue
        for promise in promises(tier, "ttft", "e2e", "deadline", "itl", "tpot"):
            found = floors(catalogue, promise, pools)
            known = [(one.least, one.pool.name, one) for one in found if one.least is not None]
            if not known or len(known) < len(found) or any(least <= promise.target for least, *_ in known):
                continue
            least, _, best = min(known, key=lambda each: each[:2])
            yield report(
                RULE,
                tier.document,
                f"{promise.path}/target",
                f"no pool can keep {promise.objective.metric} of `{tier.name}` within "
                f"{write_duration(promise.target)}: {prompt_of(best.tokens)} takes at least "
                f"{shown(least)}, on `{best.pool.name}`",
                related=tuple(
                    see(one.pool.document, "/spec/profile", f"`{name}` needs {shown(each)}")
                    for each, name, one in known[:MOST_SHOWN]
                ),
                notes=("That is one replica at full speed, with nothing else to do and nobody waiting.",),
            )
