"""QUOTA501: a tenant's limit is above its ancestor's for the same thing, so it can never be reached."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Quota
from coordination.spec.kinds.tenant import ancestors
from coordination.spec.quantities import Money, write_count, write_money

RULE = Rule("QUOTA501", "warning", "Limit above the parent's")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Compares with every ancestor's quota whose scope holds all requests of this one."""
    of_tenant: dict[str, list[Entry[Quota]]] = {}
    for quota in catalogue.quotas.values():
        of_tenant.setdefault(quota.spec.tenant, []).append(quota)
    for quota in catalogue.quotas.values():
        for ancestor in ancestors(quota.spec.tenant):
            for above in of_tenant.get(ancestor, ()):
                if covers(above.spec, quota.spec):
                    yield from _compare(quota, above)


def covers(wide: Quota, narrow: Quota) -> bool:
    """Whether every request in the scope of one quota is in the scope of the other."""
    return all(
        not outer or (inner and set(inner) <= set(outer))
        for outer, inner in (
            (wide.scope.tiers, narrow.scope.tiers),
            (wide.scope.models, narrow.scope.models),
        )
    )


def _compare(quota: Entry[Quota], above: Entry[Quota]) -> Iterator[Diagnostic]:
    theirs = {(limit.of, limit.per): (i, limit) for i, limit in enumerate(above.spec.limits)}
    for i, limit in enumerate(quota.spec.limits):
        found = theirs.get((limit.of, limit.per))
        if found is None or size(limit.limit) <= max(map(size, found[1].amounts)):
            continue
        j, ceiling = found
        yield report(
            RULE,
            quota.document,
            f"/spec/limits/{i}/limit",
            f"{shown(limit.limit)} of {limit.of} per {limit.per} can never be reached: "
            f"`{above.spec.tenant}` as a whole has {shown(ceiling.limit)}",
            related=(see(above.document, f"/spec/limits/{j}/limit", f"the limit of `{above.spec.tenant}`"),),
        )


def size(limit: int | Money) -> int:
    return limit.nano if isinstance(limit, Money) else limit


def shown(limit: int | Money) -> str:
    return write_money(limit) if isinstance(limit, Money) else str(write_count(limit))
