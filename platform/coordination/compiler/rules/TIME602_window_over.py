"""TIME602: a window that is over: what it stands for never holds again."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.compiler.timed import timed
from coordination.compiler.windows import bounds
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME602", "warning", "Window is over")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    at = catalogue.at
    for each in timed(catalogue):
        start, end = bounds(each.window)
        if end > at or end <= start:
            continue
        yield report(
            RULE,
            each.document,
            f"{each.place}/until",
            f"{each.name} ended {write_instant(end)}",
            notes=(f"The policy is checked at {write_instant(catalogue.at)}.",),
        )
