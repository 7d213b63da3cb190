"""TIME606: hours begin or end at a time that clocks show twice on some day, as summer time ends."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.clock_changes import odd_times
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME606", "info", "Time that clocks show twice")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for odd in odd_times(catalogue, "twice"):
        which = "first" if odd.edge == "begins" else "second"
        more = f", and on {odd.more} more {'day' if odd.more == 1 else 'days'} in sight" if odd.more else ""
        yield report(
            RULE,
            odd.timed.document,
            odd.place,
            f"on {odd.local:%Y-%m-%d}{more} clocks in {odd.zone} show {odd.local:%H:%M} twice, "
            f"when {odd.timed.name} {odd.edge}",
            notes=(f"The {which} of the two counts: it {odd.edge} {write_instant(odd.instant)}.",),
        )
