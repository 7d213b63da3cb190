"""CAP209: a limit lends, borrows or guarantees what it does not have (R9)."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.reporting import report, see
from coordination.compiler.rules.QUOTA501_child_above_parent import shown, size
from coordination.diagnostics import Diagnostic, Rule

RULE = Rule("CAP209", "error", "Lending what one does not have")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    for quota in catalogue.quotas.values():
        for i, limit in enumerate(quota.spec.limits):
            where = f"/spec/limits/{i}"
            held, lent = limit.guaranteed, limit.lend
            for j, change in enumerate(limit.scheduled):
                if held is not None and size(change.limit) < size(held):
                    yield report(
                        RULE,
                        quota.document,
                        f"{where}/scheduled/{j}/limit",
                        f"{shown(held)} are guaranteed of a limit of {shown(change.limit)} at that time",
                        related=(see(quota.document, f"{where}/guaranteed", "what is guaranteed"),),
                    )
            if held is not None and size(held) > size(limit.limit):
                yield report(
                    RULE,
                    quota.document,
                    f"{where}/guaranteed",
                    f"{shown(held)} are guaranteed of a limit of {shown(limit.limit)}",
                    related=(see(quota.document, f"{where}/limit", "the limit"),),
                )
            if lent is None or (held is not None and size(lent) <= size(held)):
                continue
            has = "nothing is" if held is None else f"{shown(held)} are"
            yield report(
                RULE,
                quota.document,
                f"{where}/lend",
                f"{shown(lent)} are lent when idle, and {has} guaranteed",
                notes=("Only what is kept for a tenant can be lent while it is idle.",),
            )
