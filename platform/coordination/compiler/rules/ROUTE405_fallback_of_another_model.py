"""ROUTE405: a route falls back to a pool that serves another model than its targets."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("ROUTE405", "error", "Fallback to another model")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        targets = [catalogue.pools[t.pool] for t in route.spec.targets if t.pool in catalogue.pools]
        models = {pool.spec.model for pool in targets}
        for i, name in enumerate(route.spec.fallback):
            pool = catalogue.pools.get(name)
            if route.spec.rewrite or pool is None or not models or pool.spec.model in models:
                continue
            yield report(
                RULE,
                route.document,
                f"/spec/fallback/{i}",
                f"fallback pool `{name}` serves model `{pool.spec.model}`; "
                f"the targets serve {', '.join(f'`{m}`' for m in sorted(models))}",
                related=(see(pool.document, "/spec/model", f"what `{name}` serves"),),
                notes=("A client that asked for one model must not be answered by another unknowingly.",),
            )
