"""REF109: batches escalate from tier to tier in a circle, or to a tier that goes later."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("REF109", "error", "Escalation that leads nowhere")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """A tier that escalates to a higher band only can be in no circle."""
    for tier in catalogue.tiers.values():
        target = catalogue.tiers.get(tier.spec.escalate_to or "")
        if target is None or target.spec.band > tier.spec.band:
            continue
        yield report(
            RULE,
            tier.document,
            "/spec/escalate_to",
            f"`{tier.name}` (band {tier.spec.band}) escalates to `{target.name}` (band {target.spec.band}), "
            "which does not go before it",
            related=(see(target.document, "/spec/band", f"the band of `{target.name}`"),),
            notes=("A batch whose deadline draws near would gain nothing, or go round in a circle.",),
        )
