"""CAP210: a limit borrows on top of a guarantee that it does not have, so the sum says nothing (R9)."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report
from coordination.compiler.rules.QUOTA501_child_above_parent import shown, size
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP210", "warning", "Borrowing without effect")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """The ceiling is the lesser of the limit and what is guaranteed with what is borrowed."""
    for quota in catalogue.quotas.values():
        for i, limit in enumerate(quota.spec.limits):
            if limit.borrow is None:
                continue
            where = f"/spec/limits/{i}/borrow"
            if limit.guaranteed is None:
                yield report(
                    RULE,
                    quota.document,
                    where,
                    f"`{quota.spec.tenant}` may borrow {shown(limit.borrow)}, on top of no guarantee",
                    notes=("Without `guaranteed` on the way up only ceilings hold.",),
                )
            elif size(limit.guaranteed) + size(limit.borrow) > size(limit.limit):
                spare = size(limit.limit) - size(limit.guaranteed)
                if spare >= 0:
                    yield report(
                        RULE,
                        quota.document,
                        where,
                        f"{shown(limit.guaranteed)} and {shown(limit.borrow)} borrowed are more than "
                        f"the limit of {shown(limit.limit)}, which holds",
                    )
