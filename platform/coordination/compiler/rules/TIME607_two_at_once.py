"""TIME607: two changes of one limit are scheduled for the same time, so neither says what holds."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.compiler.rules.QUOTA501_child_above_parent import shown
from coordination.compiler.rules.TIME603_overlapping_reservations import overlapping
from coordination.compiler.windows import intervals
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.quantities import write_instant

RULE = Rule("TIME607", "error", "Two limits scheduled at once")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    at, horizon = catalogue.at, catalogue.horizon
    for quota in catalogue.quotas.values():
        for i, limit in enumerate(quota.spec.limits):
            if len(limit.scheduled) < 2:
                continue
            windows = {str(j): intervals(one.window, at, horizon) for j, one in enumerate(limit.scheduled)}
            for name, (other, start) in overlapping(windows, at).items():
                place = f"/spec/limits/{i}/scheduled"
                one, two = (shown(limit.scheduled[int(j)].limit) for j in (other, name))
                yield report(
                    RULE,
                    quota.document,
                    f"{place}/{name}/window",
                    f"two limits of {limit.of} per {limit.per} are scheduled at once: {one} and {two}",
                    related=(see(quota.document, f"{place}/{other}/window", "the other one's time"),),
                    notes=(f"Both hold at {write_instant(max(start, at))}.",),
                )
