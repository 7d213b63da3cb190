"""SLO301: one of a tier's pools could not keep an objective even if it did nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import floors, pools_by_tier, promises, prompt_of, shown
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration

RULE = Rule("SLO301", "error", "Objective below the pool's floor")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    by_tier = pools_by_tier(catalogue)
    for tier in catalogue.tiers.values():
        for promise in promises(tier, "ttft", "e2e", "deadline", "itl", "tpot"):
            best = floors(catalogue, promise, by_tier[tier.name])
            missed = [one for one in best if one.least is not None and one.least > promise.target]
            if not missed or len(missed) == len(best):
                continue  # kept everywhere; or nowhere, which is SLO305's to say
            worst = max(missed, key=lambda one: one.least or 0)
            yield report(
                RULE,
                tier.document,
                f"{promise.path}/target",
                f"pool `{worst.pool.name}` cannot keep {promise.objective.metric} of `{tier.name}` within "
                f"{write_duration(promise.target)}: {prompt_of(worst.tokens)} takes at least "
                f"{shown(worst.least or 0)}",
                related=(
                    see(worst.pool.document, "/spec/profile", f"what a replica of `{worst.pool.name}` is"),
                ),
                notes=("That is one replica at full speed, with nothing else to do and nobody waiting.",),
            )
