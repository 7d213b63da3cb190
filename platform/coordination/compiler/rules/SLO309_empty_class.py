"""SLO309: an objective speaks of a class that no request is in."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import pools_by_tier, promises, windows
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds.objective import TIMES

RULE = Rule("SLO309", "error", "Class that no request is in")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    by_tier = pools_by_tier(catalogue)
    for tier in catalogue.tiers.values():
        longest = max(windows(catalogue, by_tier[tier.name]), default=None)
        for promise in promises(tier, *TIMES):
            length = promise.objective.uncached_input
            if length is None:
                continue
            if length.max is not None and length.max < length.min:
                why = f"no prompt has at least {length.min:,} and at most {length.max:,} uncached tokens"
            elif catalogue.complete and longest is not None and length.min > longest:
                why = (
                    f"no model that `{tier.name}` is served by takes a prompt of {length.min:,} tokens: "
                    f"{longest:,} are the most"
                )
            else:
                continue
            yield report(RULE, tier.document, f"{promise.path}/uncached_input", why, on="key")
