"""ROUTE404: all targets of a route have weight 0, so it matches requests and sends them nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import replace, report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("ROUTE404", "error", "Weights all zero")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        if any(target.weight for target in route.spec.targets):
            continue
        where = "/spec/targets/0/weight"
        yield report(
            RULE,
            route.document,
            "/spec/targets" if len(route.spec.targets) > 1 else where,
            f"all targets of route `{route.name}` have weight 0",
            fix=replace("write 1", where, 1),
        )
