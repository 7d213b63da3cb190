"""SLO301: one of a tier's pools could not keep an objective even if it did nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import floor, pools_by_tier, promises, prompt_of, shown
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration

RULE = Rule("SLO301", "error", "Objective below the pool's floor")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    by_tier = pools_by_tier(catalogue)
    for tier in catalogue.tiers.values():
        for promise in promises(tier, "ttft", "e2e", "itl", "tpot"):
            metric = promise.objective.metric
            best = [(pool, floor(pool, metric, promise.tokens)) for pool in by_tier[tier.name]]
            missed = [(pool, least) for pool, least in best if least is not None and least > promise.target]
            if not missed or len(missed) == len(best):
                continue  # kept everywhere; or nowhere, which is SLO305's to say
            pool, least = max(missed, key=lambda each: each[1])
            yield report(
                RULE,
                tier.document,
                f"{promise.path}/target",
                f"pool `{pool.name}` cannot keep {metric} of `{tier.name}` within "
                f"{write_duration(promise.target)}: {prompt_of(promise.tokens)} takes at least "
                f"{shown(least)}",
                related=(see(pool.document, "/spec/profile", f"what a replica of `{pool.name}` is"),),
                notes=("That is one replica at full speed, with nothing else to do and nobody waiting.",),
            )
