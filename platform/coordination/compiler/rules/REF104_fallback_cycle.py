"""REF104: a route falls back to a pool it has tried already."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Fix, Rule

RULE = Rule("REF104", "error", "Fallback leads back")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """A sole target, and what is listed twice. With several targets another target may be the fallback."""
    for route in catalogue.routes.values():
        targets = [t.pool for t in route.spec.targets if t.weight]
        if len(set(targets)) != 1 or targets[0] not in route.spec.fallback:
            continue
        where = f"/spec/fallback/{route.spec.fallback.index(targets[0])}"
        yield report(
            RULE,
            route.document,
            where,
            f"route `{route.name}` falls back to `{targets[0]}`, the pool it comes from",
            related=(see(route.document, "/spec/targets/0/pool", "its only target"),),
            fix=Fix("remove it", "safe", ({"op": "remove", "path": where},)),
        )
