"""What is kept for whom, of a limit that tenants of one tree share, and what is lent? (R9)

Limits of one thing, period and scope hang together along the tenants' paths. In such a tree each tenant's
guarantee ``g`` splits into what it keeps (for itself and, first of all, for its children) and what it
lends to its parent's other children; what a tenant has and keeps for no child is its *pool* (lambda).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from coordination.program.records import LimitOf, LimitPer, LimitRecord

LimitKey = tuple[str, LimitOf, LimitPer]
"""(quota, dimension, period)."""
Family = tuple[LimitOf, LimitPer, tuple[str, ...], tuple[str, ...]]
"""Dimension, period, tiers and models in scope: limits alike in all of it share."""


class Limited(Protocol):
    """A quota, compiled or loaded."""

    @property
    def name(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def tiers(self) -> Iterable[str]: ...
    @property
    def models(self) -> Iterable[str]: ...
    @property
    def limits(self) -> tuple[LimitRecord, ...]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Pledge:
    """A tenant's part in a shared limit. Amounts in the unit of the limit."""

    quota: str
    of: LimitOf
    per: LimitPer
    tenant: str
    guaranteed: int
    """For an inner tenant that states nothing, what its children are guaranteed together; for the
    outermost, its ceiling: nobody above it has anything to give."""
    pool: int
    """lambda: what it has and keeps for no child: its children's ``lent``, and what is nobody's."""
    lent: int
    """Of ``pool``, what its parent may give to others."""
    through: int | None
    """The most that may be borrowed from above through it; None where nothing is kept that this could
    use up."""
    parent: Pledge | None

    @property
    def kept(self) -> int:
        """Of ``pool``, what only this tenant and its descendants use."""
        return self.pool - self.lent


def pledges(quotas: Sequence[Limited]) -> dict[LimitKey, Pledge]:
    """Of every limit in a tree in which anybody below the outermost tenant is guaranteed anything.

    Where several quotas of a tenant limit the same, the first by name that guarantees speaks for it,
    else the tightest; the others are ceilings like any. A limit in shadow has no part in it.
    """
    found: dict[LimitKey, Pledge] = {}
    for family in _families(quotas).values():
        parents = {tenant: _nearest(tenant, family) for tenant in family}
        roots: dict[str, str] = {}
        for tenant in sorted(family, key=len):  # an ancestor's path is shorter
            above = parents[tenant]
            roots[tenant] = tenant if above is None else roots[above]
        sharing = {
            roots[tenant]
            for tenant, (_, limit) in family.items()
            if limit.guaranteed and parents[tenant] is not None
        }
        tree = {tenant: held for tenant, held in family.items() if roots[tenant] in sharing}
        found.update(_tree(tree, parents))
    return found


def _families(quotas: Sequence[Limited]) -> dict[Family, dict[str, tuple[Limited, LimitRecord]]]:
    """By what they limit, then by tenant; only those in which somebody is guaranteed something."""
    guaranteeing = {
        _family(quota, limit)
        for quota in quotas
        for limit in quota.limits
        if limit.guaranteed is not None and not limit.shadow
    }
    found: dict[Family, dict[str, tuple[Limited, LimitRecord]]] = {}
    if not guaranteeing:
        return found
    for quota in quotas:
        for limit in quota.limits:
            key = _family(quota, limit)
            if limit.shadow or key not in guaranteeing:
                continue
            family = found.setdefault(key, {})
            held = family.get(quota.tenant)
            if held is None or _precedence(quota, limit) < _precedence(*held):
                family[quota.tenant] = (quota, limit)
    return found


def _family(quota: Limited, limit: LimitRecord) -> Family:
    return limit.of, limit.per, tuple(sorted(quota.tiers)), tuple(sorted(quota.models))


def _precedence(quota: Limited, limit: LimitRecord) -> tuple[bool, int, str]:
    states = limit.guaranteed is not None
    return (not states, 0 if states else limit.ceiling, quota.name)


def _nearest(tenant: str, family: dict[str, tuple[Limited, LimitRecord]]) -> str | None:
    """The nearest ancestor that has a limit of the family."""
    above = tenant.rpartition("/")[0]
    while above and above not in family:
        above = above.rpartition("/")[0]
    return above or None


@dataclass(slots=True)
class _Sums:
    """Over the children of a tenant."""

    guaranteed: int = 0
    lent: int = 0


def _tree(
    tree: dict[str, tuple[Limited, LimitRecord]], parents: dict[str, str | None]
) -> dict[LimitKey, Pledge]:
    outwards = sorted(tree, key=lambda tenant: (-tenant.count("/"), tenant))
    below = {tenant: _Sums() for tenant in tree}
    sizes: dict[str, tuple[int, int, int, int | None]] = {}
    for tenant in outwards:
        limit, children, parent = tree[tenant][1], below[tenant], parents[tenant]
        for_children = children.guaranteed - children.lent
        if parent is None:
            guaranteed, lend = limit.ceiling, 0
        elif limit.guaranteed is None:
            guaranteed, lend = children.guaranteed, children.lent
        else:
            guaranteed, lend = limit.guaranteed, limit.lend or 0
        pool = max(0, guaranteed - for_children)
        lent = min(lend, pool)
        through = max(0, limit.ceiling - guaranteed) if parent is not None and for_children else None
        sizes[tenant] = (guaranteed, pool, lent, through)
        if parent is not None:
            below[parent].guaranteed += guaranteed
            below[parent].lent += lent
    made: dict[str, Pledge] = {}
    for tenant in reversed(outwards):
        quota, limit = tree[tenant]
        parent = parents[tenant]
        above = None if parent is None else made[parent]
        made[tenant] = Pledge(quota.name, limit.of, limit.per, tenant, *sizes[tenant], above)
    return {(one.quota, one.of, one.per): one for one in made.values()}
