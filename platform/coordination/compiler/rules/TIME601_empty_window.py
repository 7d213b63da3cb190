"""TIME601: a window that ends before it begins, or as it begins: it is never in force."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.compiler.timed import timed
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME601", "error", "Empty window")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for each in timed(catalogue):
        start, end = each.window.from_, each.window.until
        if start is None or end is None or start < end:
            continue
        yield report(
            RULE,
            each.document,
            f"{each.place}/until",
            f"the window of {each.name} is empty: it begins {write_instant(start)} "
            f"and ends {write_instant(end)}",
            related=(see(each.document, f"{each.place}/from", "it begins here"),),
            notes=("A window holds its first instant and not its last.",),
        )
