"""Which limits of a team may be set, to how much, and what is typed into each field?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from coordination.program.teams import Amounts, Thing
from coordination.spec.finding import Misread
from coordination.spec.quantities import LARGEST, Money, read_count, read_money, write_count, write_money
from coordination.spec.rules import SPEC007_unit, SPEC008_out_of_range
from foundation.http import FieldError
from policies.mapping.delegation import currency_in, stated_in
from portal.mapping.limits import OF, PER
from portal.selectors.contract import Contract

ALWAYS: tuple[Thing, ...] = (("requests", "1m"), ("total_tokens", "1m"), ("total_tokens", "day"))
"""What may be set for a team though nobody limits it yet."""
ORDER = {name: position for position, name in enumerate((*OF, *PER))}


@dataclass(frozen=True, slots=True)
class LimitField:
    """One limit of a team, as somebody sees and changes it."""

    name: str
    """Of the field: ``requests-1m``."""
    what: str
    written: str
    """What the policy gives the team itself; empty: nothing."""
    most: str
    """The least of what those above it have, and so the most it may be; empty: they have no such limit."""
    typed: str
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class TeamForm:
    """All that may be set for one team."""

    team: str
    fields: tuple[LimitField, ...]
    version: str
    may_change: bool
    """Its limits are delegated to the tenant's administrators."""
    set: int
    """How many are."""

    @property
    def ident(self) -> str:
        """For a page to name its parts by; a tenant's name has no underscore."""
        return self.team.replace("/", "_")


@dataclass(frozen=True, slots=True)
class Typed:
    """What a form sent: amounts, and what cannot be read."""

    amounts: Amounts
    errors: tuple[FieldError, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


def things(contract: Contract, team: str, held: Amounts) -> list[Thing]:
    """What may be set for ``team``: what it or anybody above it is limited in, and the usual."""
    found = {*ALWAYS, *held, *_most(contract, _above(contract, team)), *_most(contract, [team])}
    return sorted(found, key=lambda thing: (ORDER[thing[0]], ORDER[thing[1]]))


def team_form(
    contract: Contract, team: str, held: Amounts, version: str, typed: Typed | None = None
) -> TeamForm:
    currency = currency_of(contract)
    above, own = _most(contract, _above(contract, team)), _most(contract, [team])
    errors = typed.errors if typed is not None else ()

    def text(thing: Thing) -> str:
        if typed is not None:
            return typed.texts.get(field_of(thing), "")
        return shown(thing, held[thing], currency) if thing in held else ""

    fields = tuple(
        LimitField(
            name=field_of(thing),
            what=f"{OF[thing[0]].capitalize()} {PER[thing[1]]}",
            written=shown(thing, own[thing], currency) if thing in own else "",
            most=shown(thing, above[thing], currency) if thing in above else "",
            typed=text(thing),
            errors=tuple(one for one in errors if one.pointer == f"/limits/{thing[0]}/{thing[1]}"),
        )
        for thing in things(contract, team, held)
    )
    return TeamForm(team, fields, version, "limits" in contract.rights_over(team), len(held))


def read_typed(contract: Contract, team: str, held: Amounts, sent: Mapping[str, str]) -> Typed:
    """The fields of a form; a blank one is not set."""
    amounts: dict[Thing, int] = {}
    errors: list[FieldError] = []
    texts: dict[str, str] = {}
    for thing in things(contract, team, held):
        text = sent.get(field_of(thing), "").strip()
        texts[field_of(thing)] = text
        if not text:
            continue
        try:
            amounts[thing] = read_amount(thing[0], text, currency_of(contract))
        except Misread as wrong:
            errors.append(FieldError(f"/limits/{thing[0]}/{thing[1]}", wrong.rule.code, wrong.message))
    return Typed(amounts, tuple(errors), texts)


def read_amount(of: str, text: str, currency: str) -> int:
    """Requests, tokens or nano-units, at least one; ``Misread`` as the policy language would."""
    if of != "spend":
        return read_count(text, "requests" if of == "requests" else "tokens", 1, LARGEST)
    money = read_money(text if text[-1:].isalpha() else f"{text} {currency}")
    if money.currency != currency:
        raise SPEC007_unit.wrong(text, f"{currency}, as your limits are", write_money(money))
    if not money.nano:
        raise SPEC008_out_of_range.below(text, f"0.000000001 {currency}")
    return money.nano


def shown(thing: Thing, amount: int, currency: str) -> str:
    """``2M``, ``20000 USD``."""
    return write_money(Money(amount, currency)) if thing[0] == "spend" else str(write_count(amount))


def currency_of(contract: Contract) -> str:
    """Of the tenant's spend limits; a policy has one."""
    return currency_in(contract.quotas)


def field_of(thing: Thing) -> str:
    return f"{thing[0]}-{thing[1]}"


def _above(contract: Contract, team: str) -> list[str]:
    return [name for name in contract.tenants if team.startswith(f"{name}/")]


def _most(contract: Contract, tenants: Iterable[str]) -> Amounts:
    within = set(tenants)
    return stated_in(each for each in contract.quotas if each.spec.tenant in within).most
