"""ROUTE409: a target is on trial, and nothing says when it is given up."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("ROUTE409", "warning", "Canary without a guard")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        total = sum(target.weight for target in route.spec.targets)
        for i, target in enumerate(route.spec.targets):
            if not target.canary or target.guard is not None:
                continue
            part = f"{target.weight * 1000 // total / 10:g} %" if total else "none"
            yield report(
                RULE,
                route.document,
                f"/spec/targets/{i}/canary",
                f"canary `{target.pool}` of route `{route.name}` has no guard",
                on="key",
                notes=(f"Should it fail, {part} of the route's requests fail until somebody sees it.",),
            )
