"""TIME604: a window recurs on no day in sight: it never holds for as far as a build looks."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.compiler.timed import recurring
from coordination.compiler.windows import bounds
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME604", "warning", "Recurrence that never comes")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for each in recurring(catalogue):
        if each.in_force(catalogue):
            continue
        start, end = bounds(each.window)
        since, until = max(start, catalogue.at), min(end, catalogue.horizon)
        if since >= until:
            continue
        yield report(
            RULE,
            each.document,
            f"{each.place}/recurs",
            f"{each.name} is in force at no instant between {write_instant(since)} "
            f"and {write_instant(until)}",
            notes=(
                f"No day named by `{each.window.recurs}` has its hours in that time.",
                f"The policy is looked at from {write_instant(catalogue.at)} on, "
                f"until {write_instant(catalogue.horizon)}.",
            ),
        )
