"""QUOTA503: two quotas give one tenant different weights for the same requests."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Quota
from coordination.spec.quantities import write_ppm

RULE = Rule("QUOTA503", "error", "Two weights for the same requests")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """The most specific quota's weight holds; two are equally specific when they narrow the same axes."""
    of_tenant: dict[tuple[str, bool, bool], list[Entry[Quota]]] = {}
    for quota in catalogue.quotas.values():
        scope = quota.spec.scope
        rivals = of_tenant.setdefault((quota.spec.tenant, bool(scope.tiers), bool(scope.models)), [])
        other = next((r for r in rivals if r.spec.weight != quota.spec.weight and overlap(r, quota)), None)
        rivals.append(quota)
        if other is not None:
            yield report(
                RULE,
                quota.document,
                "/spec/weight",
                f"quotas `{other.name}` and `{quota.name}` give tenant `{quota.spec.tenant}` the weights "
                f"{write_ppm(other.spec.weight)} and {write_ppm(quota.spec.weight)} for the same requests",
                related=(see(other.document, "/spec/weight", f"the weight in `{other.name}`"),),
            )


def overlap(a: Entry[Quota], b: Entry[Quota]) -> bool:
    """Whether some request is in both scopes."""
    return all(
        not mine or not theirs or not set(mine).isdisjoint(theirs)
        for mine, theirs in (
            (a.spec.scope.tiers, b.spec.scope.tiers),
            (a.spec.scope.models, b.spec.scope.models),
        )
    )
