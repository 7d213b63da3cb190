"""QUOTA508: a tenant's administrators may do what those above them may not."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Quota
from coordination.spec.kinds.tenant import ancestors

RULE = Rule("QUOTA508", "warning", "Delegation beyond one's own rights")
NEEDS_WHOLE = False
RIGHTS = {
    "weight": "shares among its children",
    "limits": "limits of its children",
    "keys": "keys of its children",
}


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Compared with the nearest tenant above that has a quota at all; each right once."""
    of_tenant: dict[str, list[Entry[Quota]]] = {}
    for quota in catalogue.quotas.values():
        of_tenant.setdefault(quota.spec.tenant, []).append(quota)
    for quota in catalogue.quotas.values():
        above = next((of_tenant[name] for name in ancestors(quota.spec.tenant) if name in of_tenant), None)
        if above is None:
            continue
        for right, what in RIGHTS.items():
            if not getattr(quota.spec.delegation, right):
                continue
            if any(getattr(other.spec.delegation, right) for other in above):
                continue
            yield report(
                RULE,
                quota.document,
                f"/spec/delegation/{right}",
                f"administrators of `{quota.spec.tenant}` may change {what}, "
                f"and those of `{above[0].spec.tenant}` above it may not",
                related=(see(above[0].document, "/spec", f"the quota of `{above[0].spec.tenant}`"),),
                notes=("Nobody can hand on a right that they do not have.",),
            )
