"""ROUTE407: a pool stands twice among a route's targets, so its weight is said in two places."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("ROUTE407", "error", "Target listed twice")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        first: dict[str, int] = {}
        for i, target in enumerate(route.spec.targets):
            before = first.setdefault(target.pool, i)
            if before != i:
                yield report(
                    RULE,
                    route.document,
                    f"/spec/targets/{i}/pool",
                    f"pool `{target.pool}` is a target of route `{route.name}` already",
                    related=(see(route.document, f"/spec/targets/{before}/pool", "listed first here"),),
                )
