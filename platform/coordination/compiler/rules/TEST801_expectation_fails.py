"""TEST801: the policy does not do what an expectation says it does."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.expectations import outcomes, reasoning
from coordination.compiler.outcome import program_of
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("TEST801", "error", "Expectation does not hold")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for outcome in outcomes(catalogue):
        if not outcome.holds:
            field = outcome.differences[0].field
            given = getattr(outcome.entry.spec.expect, field) is not None
            yield report(
                RULE,
                outcome.entry.document,
                ("/spec/expect", f"/spec/expect/{field}")[given],
                outcome.sentence,
                notes=tuple(reasoning(catalogue.ask(program_of), outcome.request)),
            )
