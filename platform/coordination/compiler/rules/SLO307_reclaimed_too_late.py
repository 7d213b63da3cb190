"""SLO307: lent capacity comes back after the objective, so a reservation promises no first token (R8)."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.objectives import promises
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_duration

RULE = Rule("SLO307", "warning", "Reclaimed after the objective")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        tier = catalogue.tiers.get(spec.tier)
        if tier is None or not spec.lend_when_idle:
            continue
        made = list(promises(tier, "ttft"))
        longest = max(made, key=lambda promise: promise.target, default=None)
        if longest is None or longest.target > spec.reclaim_within:
            continue
        yield report(
            RULE,
            reservation.document,
            "/spec/tier",
            f"what `{reservation.name}` lends may take {write_duration(spec.reclaim_within)} to come back, "
            f"and `{tier.name}` promises a first token within {write_duration(longest.target)}: to no "
            "request of the reservation",
            related=(see(tier.document, f"{longest.path}/target", "the longest it promises"),),
            notes=(
                "Promised is what waits no longer than the objective, `reclaim_within` and prefill included.",
                "With a shorter `reclaim_within`, or `lend_when_idle: false`, there is something to promise.",
            ),
        )
