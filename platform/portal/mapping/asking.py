"""What may a tenant ask of its operator, and how would the policy read with it?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from coordination.program.teams import Thing
from coordination.spec import Document
from coordination.spec.quantities import Money, write_count, write_money
from portal.mapping.limits import OF, PER
from portal.selectors.contract import Contract


@dataclass(frozen=True, slots=True)
class Wish:
    """A limit that may be asked for in another size."""

    key: str
    """``quota of per``."""
    label: str


def wishes(contract: Contract) -> list[Wish]:
    """Every limit of the tenant and its teams, its own first."""
    quotas = sorted(contract.quotas, key=lambda each: (each.spec.tenant.count("/"), each.spec.tenant))
    return [
        Wish(
            f"{quota.name} {limit.of} {limit.per}",
            f"{quota.spec.tenant}: {OF[limit.of]} {PER[limit.per]}, now {written(limit.limit)}",
        )
        for quota in quotas
        for limit in quota.spec.limits
    ]


def written(amount: int | Money) -> str:
    return write_money(amount) if isinstance(amount, Money) else str(write_count(amount))


def resized(document: Document, thing: Thing, amount: int | Money) -> Document:
    """The quota with one of its limits at ``amount``."""
    limits = tuple(
        msgspec.structs.replace(limit, limit=amount) if (limit.of, limit.per) == thing else limit
        for limit in document.spec.limits
    )
    spec = msgspec.structs.replace(document.spec, limits=limits)
    return Document(document.kind, document.metadata, spec, document.positions)
