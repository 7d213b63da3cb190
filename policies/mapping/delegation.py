"""What does the policy, as it is written now, let administrators set for a team?

The gateways ask the same of the bundle they run (``coordination.program.teams``); this asks the documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from coordination.program.teams import (
    NOTHING_STATED,
    Amounts,
    Beyond,
    Stated,
    Thing,
    beyond_limit,
    beyond_weight,
    together,
)
from coordination.spec import Document, Metadata
from coordination.spec.document import Positions
from coordination.spec.kinds import Quota
from coordination.spec.kinds.quota import Limit
from coordination.spec.kinds.tenant import ancestors
from coordination.spec.quantities import NO_CURRENCY, Money
from policies.mapping.documents import parse
from policies.selectors import heads

RIGHTS = ("weight", "limits", "keys")
SET_FOR_A_TEAM = "set-for-this-team"
"""What checks call the quota of a team that the policy has none for."""


def stated_in(quotas: Iterable[Document]) -> Stated:
    """Of all quotas of one tenant, as ``coordination.program.teams.stated`` says of compiled ones."""
    delegates: set[str] = set()
    most: dict[Thing, int] = {}
    for document in quotas:
        quota: Quota = document.spec
        delegates |= {right for right in RIGHTS if getattr(quota.delegation, right)}
        if quota.scope.tiers or quota.scope.models:
            continue
        for limit in quota.limits:
            if not limit.shadow:
                thing: Thing = (limit.of, limit.per)  # type: ignore[assignment] # the language knows no others
                size = max(map(size_of, limit.amounts))
                most[thing] = min(size, most.get(thing, size))
    return Stated(frozenset(delegates), most)


def size_of(amount: int | Money) -> int:
    """In requests, tokens or nano-units."""
    return amount.nano if isinstance(amount, Money) else amount


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be set for one team."""

    above: Stated
    """What all tenants above it say together."""
    own: Stated
    documents: tuple[Document, ...]
    """All quotas on its path."""
    shown: Amounts
    """Of ``above``, what is no secret to the one who asks."""

    @property
    def currency(self) -> str:
        """Of the spend limits on its path; a policy has one."""
        return currency_in(self.documents)

    def beyond_weight(self) -> Beyond | None:
        return beyond_weight(self.above)

    def beyond_limit(self, thing: Thing, amount: int) -> Beyond | None:
        return beyond_limit(self.above, lambda: self.own, thing, amount)


def bounds(environment: str, team: str, within: str = "") -> Bounds:
    """By the current documents of ``environment``. Rights count from ``within`` on down: what is delegated
    to the administrators of a tenant is not theirs who administer only a part of it."""
    path = [*reversed(list(ancestors(team))), team]
    rows = list(heads(environment, "Quota").filter(tenant__in=path).values_list("tenant", "document_id"))
    values, _ = parse(digest for _, digest in rows)
    said = {
        tenant: stated_in(values[digest] for of, digest in rows if of == tenant and digest in values)
        for tenant in path
    }
    above = shown = NOTHING_STATED
    for tenant in path[:-1]:
        theirs = tenant != within and not tenant.startswith(f"{within}/") if within else False
        above = together(above, Stated(most=said[tenant].most) if theirs else said[tenant])
        shown = shown if theirs else together(shown, said[tenant])
    return Bounds(above, said[team], tuple(values.values()), shown.most)


def with_limits(documents: Sequence[Document], team: str, amounts: Amounts) -> list[Document]:
    """The quotas of ``team`` as they would be written with these limits, where that alters them; one that
    it lacks is made. ``documents``: all quotas on its path, whose currency is taken."""
    currency = currency_in(documents)
    own = [each for each in documents if each.spec.tenant == team]
    wide = [each for each in own if not each.spec.scope.tiers and not each.spec.scope.models]
    edited: dict[str, tuple[Document, dict[Thing, Limit]]] = {}
    for thing, amount in amounts.items():
        of, per = thing
        size: int | Money = Money(amount, currency) if of == "spend" else amount
        having = [each for each in wide if any((one.of, one.per) == thing for one in each.spec.limits)]
        for document in having or wide[:1] or [_made(team)]:
            limits = edited.setdefault(
                document.name, (document, {(one.of, one.per): one for one in document.spec.limits})
            )[1]
            held = limits.get(thing)
            limits[thing] = (
                Limit(of=of, per=per, limit=size)
                if held is None
                else msgspec.structs.replace(held, limit=size, scheduled=())
            )
    return [_with(document, tuple(limits.values())) for document, limits in edited.values()]


def _made(team: str) -> Document:
    return Document("Quota", Metadata(name=SET_FOR_A_TEAM), Quota(tenant=team), Positions(team, ""))


def _with(document: Document, limits: tuple[Limit, ...]) -> Document:
    spec = msgspec.structs.replace(document.spec, limits=limits)
    return Document(document.kind, document.metadata, spec, document.positions)


def currency_in(quotas: Iterable[Document]) -> str:
    """Of the first spend limit; ``NO_CURRENCY`` where there is none."""
    found = (
        limit.limit.currency
        for document in quotas
        for limit in document.spec.limits
        if isinstance(limit.limit, Money)
    )
    return next(found, NO_CURRENCY)
