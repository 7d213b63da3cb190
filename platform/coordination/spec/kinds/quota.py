"""Quota: a tenant's share of what is contended, and its limits."""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated, Any

from coordination.spec.declaration import Block, Blocks
from coordination.spec.finding import Finding, Misread
from coordination.spec.kinds.reservation import Window
from coordination.spec.notation import (
    Choice,
    Count,
    Duration,
    Factor,
    Flag,
    Items,
    Notation,
    Reference,
    Schema,
    Share,
    Sum,
    Whole,
)
from coordination.spec.plain import Path, Plain
from coordination.spec.quantities import (
    LARGEST,
    Money,
    read_count,
    read_money,
    write_count,
    write_money,
)
from coordination.spec.rules import SPEC007_unit

AMOUNTS = ("limit", "guaranteed", "borrow", "lend")
"""Fields of a limit that are in its own unit."""
CURRENCY = re.compile(r"[A-Z]{3}")


class Amount(Notation):
    """A count or an amount of money, by what the limit is of: ``2M``, ``20000 USD``."""

    unit = "requests, tokens or money, by `of`"
    by = "of"
    cases = MappingProxyType(
        {
            "requests": Count("requests"),
            "input_tokens": Count("tokens"),
            "output_tokens": Count("tokens"),
            "total_tokens": Count("tokens"),
            "spend": Sum(),
        }
    )

    def parse(self, value: Plain) -> int | Money:
        if isinstance(value, str):
            word = value.rpartition(" ")[2]
            if CURRENCY.fullmatch(word):
                return read_money(value)
            if word == "requests":
                return read_count(value, word, 0, LARGEST)
        return read_count(value, "tokens", 0, LARGEST)

    def write(self, value: int | Money) -> Plain:
        return write_money(value) if isinstance(value, Money) else write_count(value)

    def schema(self) -> Schema:
        return {"type": ["string", "number"], "x-unit": self.unit}

    def says(self) -> str:
        return "a number such as `2M`, or money such as `20000 USD`"


class ScheduledLimit(Block, frozen=True, kw_only=True):
    """Another limit for a time: from an instant until another, or on some days."""

    window: Annotated[Window, "When it holds in place of `limit`."]
    limit: Annotated[int | Money, Amount(), "The most of it in the period, then."]


class Limit(Block, frozen=True, kw_only=True):
    """At most so much of something in a period."""

    of: Annotated[
        str,
        Choice("requests", "input_tokens", "output_tokens", "total_tokens", "spend"),
        "What is counted.",
    ]
    per: Annotated[
        str, Choice("1m", "1h", "day", "month"), "The period; days and months are the tenant's own calendar."
    ]
    limit: Annotated[int | Money, Amount(), "The most of it in the period."]
    guaranteed: Annotated[
        int | Money | None, Amount(), "What the parent keeps for it, used or not; the rest is shared."
    ] = None
    borrow: Annotated[
        int | Money | None, Amount(), "How much more than guaranteed it may take of what others leave."
    ] = None
    lend: Annotated[
        int | Money | None, Amount(), "How much of what is guaranteed others may take while it is idle."
    ] = None
    shadow: Annotated[bool, Flag(), "Whether it is counted only, and nobody is refused for it."] = False
    scheduled: Annotated[
        tuple[ScheduledLimit, ...],
        Blocks(ScheduledLimit, most=100),
        "Changes of `limit` that gateways make by themselves as their time comes, and take back as it ends.",
    ] = ()

    @property
    def amounts(self) -> tuple[int | Money, ...]:
        """What the limit is at one time or another."""
        return (self.limit, *(change.limit for change in self.scheduled))

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        for i, change in enumerate(values.get("scheduled", ())):
            place = (((path, "scheduled"), i), "limit")
            for misread in _unit_of(values["of"], change.limit):
                found.append(Finding(misread, place))
            found += (Finding(misread, place) for misread in _same_currency(values["limit"], change.limit))
        for name in AMOUNTS:
            if values.get(name) is not None:
                for misread in _unit_of(values["of"], values[name]):
                    found.append(Finding(misread, (path, name)))


def _same_currency(limit: int | Money, changed: int | Money) -> Iterator[Misread]:
    if isinstance(limit, Money) and isinstance(changed, Money) and limit.currency != changed.currency:
        yield SPEC007_unit.wrong(write_money(changed), f"{limit.currency}, as `limit` is", write_money(limit))


def _unit_of(of: str, limit: int | Money) -> Iterator[Misread]:
    if of == "spend" and isinstance(limit, int):
        shown = str(write_count(limit))
        yield SPEC007_unit.missing(shown, "a currency", "20000 USD", mended=f"{shown} USD")
    elif of != "spend" and isinstance(limit, Money):
        yield SPEC007_unit.wrong(write_money(limit), "requests" if of == "requests" else "tokens", "600k")


class Guards(Block, frozen=True, kw_only=True):
    """The most that one session may use."""

    tokens: Annotated[int | None, Count("tokens", 1), "Most tokens, read and generated."] = None
    steps: Annotated[int | None, Count("steps", 1), "Most requests."] = None
    wall_time: Annotated[int | None, Duration("1s", "366d"), "Longest time from its first request."] = None
    branches: Annotated[int | None, Count("requests", 1), "Most requests in flight at once."] = None


class LoopGuard(Block, frozen=True, kw_only=True):
    """What happens to an agent that makes the same call again and again."""

    repeats: Annotated[int, Whole(2, 1000), "After so many equal last calls in a row."]
    then: Annotated[str, Choice("refuse", "slow"), "Refuse, or let it wait longer each time."] = "refuse"


class Run(Guards, frozen=True, kw_only=True):
    """The most that one run of an agent may use."""

    loop_guard: Annotated[LoopGuard | None, "When it seems to run in a circle."] = None


class Delegation(Block, frozen=True, kw_only=True):
    """What the tenant's own administrators may change of the tenants below it, in force at once."""

    weight: Annotated[bool, Flag(), "Weights of the tenants below it, beside each other."] = False
    limits: Annotated[bool, Flag(), "Limits of the tenants below it, up to its own."] = False
    keys: Annotated[bool, Flag(), "Keys of the tenants below it; to revoke one takes no right."] = False


class Caps(Block, frozen=True, kw_only=True):
    """The most that the tenant's requests may occupy; what is reserved does not count."""

    sequences: Annotated[
        int | None,
        Count("requests", 1),
        "Most requests running in one pool at once. Whoever is beyond it stands aside until one ends, for as "
        "long as its tier lets it wait, and holds up nobody else.",
    ] = None
    kv_share: Annotated[
        int | None,
        Share("0.0001%"),
        "Most of one pool's KV memory for requests running there; beyond it, as with `sequences`.",
    ] = None
    bytes: Annotated[
        int | None,
        Count("bytes", 1),
        "Most bytes of requests in progress that one gateway keeps; beyond it requests are refused.",
    ] = None


class Scope(Block, frozen=True, kw_only=True):
    """Which requests a quota speaks of; an empty list means all."""

    tiers: Annotated[tuple[str, ...], Items(Reference("Tier")), "Only these tiers."] = ()
    models: Annotated[tuple[str, ...], Items(Reference("Model")), "Only these models."] = ()


class Quota(Block, frozen=True, kw_only=True):
    """A tenant's share of what is contended, and its limits."""

    tenant: Annotated[str, Reference("Tenant"), "Whom it holds for, its descendants together."]
    scope: Annotated[Scope, "Which requests it speaks of."] = Scope()
    weight: Annotated[int, Factor("0.000001"), "Share of what is contended, relative to its siblings."] = (
        1_000_000
    )
    limits: Annotated[tuple[Limit, ...], Blocks(Limit, most=100), "Most of something in a period."] = ()
    concurrency: Annotated[int | None, Count("requests", 1), "Most requests in flight at once."] = None
    session: Annotated[Guards | None, "The most that one session may use."] = None
    run: Annotated[Run | None, "The most that one run of an agent may use."] = None
    caps: Annotated[Caps | None, "The most that its requests may occupy."] = None
    delegation: Annotated[Delegation, "What its own administrators may change below it."] = Delegation()
