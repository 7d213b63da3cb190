"""TEST801: the policy does not do what an expectation says it does."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.expectations import outcomes, reasoning
from coordination.compiler.lower import lower
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule
from coordination.program.index import load

RULE = Rule("TEST801", "error", "Expectation does not hold")
NEEDS_WHOLE = True


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    if not catalogue.expectations:
        return
    program = load(lower(catalogue, environment=catalogue.environment or ""))
    for outcome in outcomes(catalogue, program):
        if not outcome.holds:
            field = outcome.differences[0].field
            given = getattr(outcome.entry.spec.expect, field) is not None
            yield report(
                RULE,
                outcome.entry.document,
                ("/spec/expect", f"/spec/expect/{field}")[given],
                outcome.sentence,
                notes=tuple(reasoning(program, outcome.request)),
            )
