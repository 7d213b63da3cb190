"""QUOTA504: one quota limits the same thing in the same period twice."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("QUOTA504", "error", "Limit stated twice")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for quota in catalogue.quotas.values():
        first: dict[tuple[str, str], int] = {}
        for i, limit in enumerate(quota.spec.limits):
            before = first.setdefault((limit.of, limit.per), i)
            if before != i:
                yield report(
                    RULE,
                    quota.document,
                    f"/spec/limits/{i}/of",
                    f"quota `{quota.name}` limits {limit.of} per {limit.per} already",
                    related=(see(quota.document, f"/spec/limits/{before}/of", "limited first here"),),
                )
