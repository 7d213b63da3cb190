"""ROUTE406: a route matches a model that one of its target pools does not serve."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import listed, report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("ROUTE406", "error", "Target of another model")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        match = route.spec.match.models
        matched = [m for m in match if m in catalogue.models] if match else list(catalogue.models)
        for i, target in enumerate(route.spec.targets):
            pool = catalogue.pools.get(target.pool)
            if pool is None or not catalogue.knows("Model", pool.spec.model):
                continue
            others = [name for name in matched if name != pool.spec.model]
            if not others:
                continue
            said = "matches every model, among them" if not match else "matches"
            yield report(
                RULE,
                route.document,
                f"/spec/targets/{i}/pool",
                f"pool `{target.pool}` serves model `{pool.spec.model}`, "
                f"but route `{route.name}` {said} {listed(others)}",
                related=(see(pool.document, "/spec/model", f"what `{target.pool}` serves"),),
            )
