"""SLO303: a request may wait longer than its whole deadline."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import promises
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration

RULE = Rule("SLO303", "error", "Deadline shorter than the wait")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for tier in catalogue.tiers.values():
        wait = tier.spec.queue.max_wait
        for promise in promises(tier, "deadline", "e2e"):
            if promise.target > wait:
                continue
            yield report(
                RULE,
                tier.document,
                f"{promise.path}/target",
                f"a request of `{tier.name}` may wait {write_duration(wait)}, "
                f"and is to be done within {write_duration(promise.target)}",
                related=(see(tier.document, "/spec/queue", "how long it may wait"),),
                notes=(f"One that is let in after {write_duration(wait)} has missed it before it begins.",),
            )
