"""TIME605: hours begin or end at a time that clocks skip on some day, as summer time begins."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.clock_changes import odd_times
from coordination.compiler.reporting import report
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME605", "warning", "Time that clocks skip")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for odd in odd_times(catalogue, "skipped"):
        more = f", and on {odd.more} more {'day' if odd.more == 1 else 'days'} in sight" if odd.more else ""
        yield report(
            RULE,
            odd.timed.document,
            odd.place,
            f"on {odd.local:%Y-%m-%d}{more} clocks in {odd.zone} skip {odd.local:%H:%M}, "
            f"when {odd.timed.name} {odd.edge}",
            notes=(f"That day it {odd.edge} {write_instant(odd.instant)}, as the clocks go on.",),
        )
