"""ROUTE410: a placement that looks for cached prefixes only sends every conversation to one replica."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("ROUTE410", "warning", "One replica for all")
NEEDS_WHOLE = False
PULLS = frozenset({"cache", "locality", "adapter"})
"""Scorers that speak for where something is already; the others speak against where much is."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        placement = route.spec.placement
        if placement.max_imbalance is not None:
            continue
        weighed = {name for name, weight in placement.scorers.items() if weight}
        if weighed:
            field, pulled = "scorers", weighed <= PULLS
        else:
            field, pulled = "strategy", placement.strategy == "cache_first"
        if pulled:
            yield report(
                RULE,
                route.document,
                f"/spec/placement/{field}",
                f"placement of route `{route.name}` looks for what is cached and at no load",
                on="key",
                notes=(
                    "Conversations that begin with the same instructions share their first block: the "
                    "replica that has it gets all of them, however busy it is.",
                    "`max_imbalance: 2` would bound that, as would a weight for `prefill`.",
                ),
            )
