"""REF106: an object that nothing uses: a pool without a route, a tier nobody is entitled to."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("REF106", "warning", "Unused object")
NEEDS_WHOLE = True
USED_BY = {
    "Model": ("Pool", "no pool serves it"),
    "Pool": ("Route", "no route leads to it"),
    "Tier": ("Tenant", "no tenant is entitled to it"),
}
"""Kind -> the kind whose mention makes it useful, and what is said when there is none."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for kind, (by, why) in USED_BY.items():
        used = set(catalogue.named_by(by).get(kind, ()))
        if kind == "Tier":
            used |= {tier.spec.overflow.tier for tier in catalogue.tiers.values() if tier.spec.overflow.tier}
        for name in sorted(catalogue.names(kind) - used):
            document = catalogue.of_kind(kind)[name].document
            yield report(RULE, document, "/metadata/name", f"{kind} `{name}` is not used: {why}")
