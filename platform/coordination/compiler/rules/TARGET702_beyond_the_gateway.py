"""TARGET702: without a field that this gateway cannot carry out, the policy would do something else."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.compiler.targets import TARGET, written
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("TARGET702", "error", "Beyond what the gateway can do")
NEEDS_WHOLE = False
MOST_PLACES = 20
"""Of one field; they are all mended in the same way."""


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for gap, places in written(catalogue, stops=True):
        for document, path in places[:MOST_PLACES]:
            yield report(
                RULE,
                document,
                path,
                f"this {TARGET} cannot carry out `{gap.field}` of {gap.kind} `{document.name}`",
                on="key",
                notes=(gap.instead,),
            )
