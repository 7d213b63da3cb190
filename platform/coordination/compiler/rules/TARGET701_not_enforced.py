"""TARGET701: a field is right, and the gateway of this version does not act on it."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.compiler.targets import TARGET, written
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("TARGET701", "warning", "Not enforced by the gateway yet")
NEEDS_WHOLE = False
MOST_SHOWN = 5


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """One finding a field, at its first place, however often it is written."""
    for gap, places in written(catalogue, stops=False):
        document, path = places[0]
        more = f", here and in {len(places) - 1:,} more" if len(places) > 1 else ""
        if more:
            more += " place" if len(places) == 2 else " places"
        yield report(
            RULE,
            document,
            path,
            f"`{gap.field}` of a {gap.kind} is not enforced by this {TARGET} yet{more}",
            on="key",
            related=tuple(see(d, p, "written here too") for d, p in places[1 : MOST_SHOWN + 1]),
            notes=(gap.instead,),
        )
