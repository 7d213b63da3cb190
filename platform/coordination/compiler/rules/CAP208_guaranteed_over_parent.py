"""CAP208: what is guaranteed to a tenant's children comes to more than it has itself (R9)."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.compiler.rules.QUOTA501_child_above_parent import shown, size
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Quota
from coordination.spec.kinds.quota import Limit, Scope
from coordination.spec.kinds.tenant import ancestors
from coordination.spec.quantities import Money

RULE = Rule("CAP208", "error", "More guaranteed than the parent has")
NEEDS_WHOLE = False
MOST_SHOWN = 8
Key = tuple[str, str, Scope]


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Limits of one thing, period and scope: a guarantee is in the unit of its limit.

    It is kept by the nearest ancestor that has such a limit.
    """
    having = {
        (quota.spec.tenant, (limit.of, limit.per, quota.spec.scope))
        for quota in catalogue.quotas.values()
        for limit in quota.spec.limits
    }
    guaranteed: dict[tuple[str, Key], list[tuple[Entry[Quota], int, Limit]]] = {}
    for quota in catalogue.quotas.values():
        for i, limit in enumerate(quota.spec.limits):
            if limit.guaranteed is None:
                continue
            kind = (limit.of, limit.per, quota.spec.scope)
            parent = next((up for up in ancestors(quota.spec.tenant) if (up, kind) in having), None)
            if parent is not None:
                guaranteed.setdefault((parent, kind), []).append((quota, i, limit))
    for quota in catalogue.quotas.values():
        for i, limit in enumerate(quota.spec.limits):
            own = limit.limit if limit.guaranteed is None else limit.guaranteed
            children = guaranteed.get((quota.spec.tenant, (limit.of, limit.per, quota.spec.scope)), [])
            total = sum(size(child.guaranteed) for _, _, child in children if child.guaranteed is not None)
            if total <= size(own):
                continue
            children.sort(key=lambda c: (-size(c[2].guaranteed or 0), c[0].name))
            yield report(
                RULE,
                quota.document,
                f"/spec/limits/{i}/{'limit' if limit.guaranteed is None else 'guaranteed'}",
                f"children of `{quota.spec.tenant}` are guaranteed {shown(_like(own, total))} "
                f"of {limit.of} per {limit.per}, and it has {shown(own)} itself",
                related=tuple(
                    see(
                        child.document,
                        f"/spec/limits/{j}/guaranteed",
                        f"`{child.spec.tenant}` has {_said(held)}",
                    )
                    for child, j, held in children[:MOST_SHOWN]
                ),
                notes=("When all of them ask for theirs at once, somebody's guarantee is broken.",),
            )


def _like(amount: int | Money, total: int) -> int | Money:
    return Money(total, amount.currency) if isinstance(amount, Money) else total


def _said(limit: Limit) -> str:
    return shown(limit.guaranteed) if limit.guaranteed is not None else "none"
