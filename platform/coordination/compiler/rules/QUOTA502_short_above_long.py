"""QUOTA502: a limit for a short period is above the one for a longer period, so it never binds."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.compiler.rules.QUOTA501_child_above_parent import shown, size
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("QUOTA502", "warning", "Short limit above a longer one")
NEEDS_WHOLE = False
PERIODS = ("1m", "1h", "day", "month")


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for quota in catalogue.quotas.values():
        limits = list(enumerate(quota.spec.limits))
        for i, short in limits:
            for j, long in limits:
                if short.of != long.of or PERIODS.index(short.per) >= PERIODS.index(long.per):
                    continue
                if size(short.limit) > max(map(size, long.amounts)):
                    yield report(
                        RULE,
                        quota.document,
                        f"/spec/limits/{i}/limit",
                        f"{shown(short.limit)} of {short.of} per {short.per} never binds: "
                        f"per {long.per} only {shown(long.limit)} are allowed",
                        related=(
                            see(quota.document, f"/spec/limits/{j}/limit", f"the limit per {long.per}"),
                        ),
                    )
