"""ROUTE408: a route's range of prompt lengths is empty, so it matches nothing."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

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
