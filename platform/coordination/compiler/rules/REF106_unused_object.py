"""REF106: an object that nothing uses: a pool without a route, a tier nobody is entitled to."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("REF106", "warning", "Unused object")
NEEDS_WHOLE = True
USED_BY = {
    "Model": ({"Pool"}, "no pool serves it"),
    "Pool": ({"Route"}, "no route leads to it"),
    "Tier": ({"Tenant"}, "no tenant is entitled to it"),
}
"""Kind -> the kinds whose mention makes it useful, and what is said when there is none."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    used: set[tuple[str, str]] = set()
    for document, mention in catalogue.mentions:
        if mention.kind in USED_BY and document.kind in USED_BY[mention.kind][0]:
            used.add((mention.kind, mention.name))
    for tier in catalogue.tiers.values():
        if tier.spec.overflow.tier is not None:
            used.add(("Tier", tier.spec.overflow.tier))
    for kind, (_, why) in USED_BY.items():
        for name, document in catalogue.by_kind.get(kind, {}).items():
            if (kind, name) not in used:
                yield report(RULE, document, "/metadata/name", f"{kind} `{name}` is not used: {why}")
