"""PriceBook: what a token costs, from when."""

from typing import Annotated, Any

import msgspec

from coordination.spec.declaration import Block, Blocks
from coordination.spec.finding import Finding
from coordination.spec.notation import Factor, Instant, Price, Reference, Table, Text
from coordination.spec.plain import Path
from coordination.spec.quantities import Money, write_price
from coordination.spec.rules import SPEC007_unit

TOKEN_CLASSES = ("uncached_input", "cached_input", "cache_write", "output", "reasoning")


class Entry(Block, frozen=True, kw_only=True):
    """The prices of one model from an instant on, until the model's next entry."""

    model: Annotated[str, Reference("Model"), "Whose tokens."]
    from_: Annotated[int, Instant(), "First instant; since ever when absent."] = msgspec.field(
        default=0, name="from"
    )
    uncached_input: Annotated[Money, Price(), "A prompt token that had to be computed."]
    cached_input: Annotated[Money, Price(), "A prompt token found in the prefix cache."]
    cache_write: Annotated[
        Money | None, Price(), "A prompt token kept in the engine's cache; by default as an uncached one."
    ] = None
    output: Annotated[Money, Price(), "A generated token."]
    reasoning: Annotated[
        Money | None, Price(), "A token generated out of sight; by default as one of output."
    ] = None


class PriceBook(Block, frozen=True, kw_only=True):
    """Prices in one currency; spend limits and the ledger both read them."""

    currency: Annotated[str, Text(3, r"[A-Z]{3}", "a currency such as `USD`"), "ISO 4217 code."]
    entries: Annotated[tuple[Entry, ...], Blocks(Entry, least=1), "Prices by model and time."]
    tier_multipliers: Annotated[
        dict[str, int],
        Table(Reference("Tier"), Factor(most="100")),
        "Factor on every price, by tier served; 1 when absent.",
    ] = {}

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        currency = values["currency"]
        for i, entry in enumerate(values["entries"]):
            for name in TOKEN_CLASSES:
                price: Money | None = getattr(entry, name)
                if price is not None and price.currency != currency:
                    misread = SPEC007_unit.wrong(
                        write_price(price), f"{currency}, the book's currency", f"0.15 {currency}/1M tokens"
                    )
                    found.append(Finding(misread, (((path, "entries"), i), name)))
