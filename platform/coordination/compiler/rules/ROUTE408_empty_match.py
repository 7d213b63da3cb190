"""ROUTE408: a route matches nothing: no prompt is so long, or no tenant has such labels."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.plain import quoted

RULE = Rule("ROUTE408", "error", "Match that matches nothing")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for route in catalogue.routes.values():
        tokens = route.spec.match.prompt_tokens
        if tokens.max is not None and tokens.max <= tokens.min:
            yield report(
                RULE,
                route.document,
                "/spec/match/prompt_tokens",
                f"no prompt has at least {tokens.min:,} and fewer than {tokens.max:,} tokens",
                on="key",
            )
        match = route.spec.match
        if match.labels and catalogue.complete and not catalogue.tenants_of(match):
            wanted = ", ".join(f"{key}: {value}" for key, value in match.labels.items())
            among = " of those named" if match.tenants else ""
            yield report(
                RULE,
                route.document,
                "/spec/match/labels",
                f"no tenant{among} has the labels {quoted(wanted)}",
                on="key",
            )
