"""SLO304: waiting as long as is allowed, then prefill at full speed, already misses the objective (R17)."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import floors, pools_by_tier, promises, prompt_of, shown
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration

RULE = Rule("SLO304", "warning", "Wait and prefill beyond the objective")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    by_tier = pools_by_tier(catalogue)
    for tier in catalogue.tiers.values():
        wait = tier.spec.queue.max_wait
        for promise in promises(tier, "ttft", "e2e", "deadline"):
            metric = promise.objective.metric
            found = floors(catalogue, promise, by_tier[tier.name])
            known = [(one.least, one.pool.name, one.tokens) for one in found if one.least is not None]
            if not known or (metric != "ttft" and promise.target <= wait):
                continue  # of the whole answer, SLO303 says that the wait alone is too long
            least, pool, tokens = min(known)
            if least > promise.target or wait + least <= promise.target:
                continue
            spare = (promise.target - least) // 1000 * 1000
            yield report(
                RULE,
                tier.document,
                f"{promise.path}/target",
                f"{metric} of `{tier.name}` within {write_duration(promise.target)} is missed by whoever "
                f"waits {write_duration(wait)}, as `max_wait` allows",
                related=(see(tier.document, "/spec/queue", "how long it may wait"),),
                notes=(
                    f"{prompt_of(tokens).capitalize()} then takes {shown(least)} on "
                    f"`{pool}`, so its first token comes after {shown(wait + least)}.",
                    f"With a `max_wait` of {write_duration(spare)} it could be kept: "
                    "whoever would wait longer is refused at once.",
                ),
            )
