"""TIME602: a reservation whose window is over: it promises nothing any more."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.compiler.windows import bounds
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME602", "warning", "Window is over")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    at = catalogue.at
    for reservation in catalogue.reservations.values():
        start, end = bounds(reservation.spec.window)
        if end > at or end <= start:
            continue
        yield report(
            RULE,
            reservation.document,
            "/spec/window/until",
            f"reservation `{reservation.name}` ended {write_instant(end)}",
            notes=(f"The policy is checked at {write_instant(catalogue.at)}.",),
        )
