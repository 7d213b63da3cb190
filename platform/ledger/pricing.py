"""What does an attempt cost? Integers alone: nano-units of money, rounded down once an event.

The gateway's own charge (``spend_nano``) is made of the same price books by other code, so that the
two can be held against each other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """Disjoint counts: a cached token is not an uncached one too, a reasoning token no output one."""

    uncached_input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """Nano-units of money per token of one model, from ``start`` (microseconds since 1970) on."""

    start: int
    uncached_input: int
    cached_input: int
    output: int
    cache_write: int | None = None
    """As an uncached one when absent: it was computed."""
    reasoning: int | None = None
    """As one of output when absent."""

    def computed(self, tokens: Tokens) -> int:
        written = self.uncached_input if self.cache_write is None else self.cache_write
        return tokens.uncached_input * self.uncached_input + tokens.cache_write * written

    def generated(self, tokens: Tokens) -> int:
        reasoning = self.output if self.reasoning is None else self.reasoning
        return tokens.output * self.output + tokens.reasoning * reasoning


@dataclass(frozen=True, slots=True)
class Book:
    """One currency's prices. ``rates`` are sorted by start; ``multipliers_ppm`` are by tier served."""

    name: str
    currency: str
    rates: dict[str, tuple[Rate, ...]]
    multipliers_ppm: dict[str, int] = field(default_factory=dict)

    def rate(self, model: str, at: int) -> Rate | None:
        """The newest rate that began at or before ``at``."""
        rates = self.rates.get(model, ())
        place = bisect_right(rates, at, key=lambda rate: rate.start)
        return rates[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class Cost:
    """``saved_nano``: how much more the cached tokens would have cost, had they been computed."""

    nano: int = 0
    saved_nano: int = 0
    currency: str = ""


FREE = Cost()
"""What no book has a price for."""


class PriceList:
    """Every book of an environment; of several that name a model the first by name holds."""

    def __init__(self, books: Iterable[Book]) -> None:
        self._books = sorted(books, key=lambda book: book.name)

    def cost(self, model: str, tier: str, tokens: Tokens, at: int) -> Cost:
        """Of ``tokens``, at the rate in force at ``at``, when the request was admitted."""
        for book in self._books:
            rate = book.rate(model, at)
            if rate is not None:
                factor = book.multipliers_ppm.get(tier, MILLION)
                computed, generated = rate.computed(tokens), rate.generated(tokens)
                paid = (computed + tokens.cached_input * rate.cached_input + generated) * factor // MILLION
                full = (computed + tokens.cached_input * rate.uncached_input + generated) * factor // MILLION
                return Cost(paid, full - paid, book.currency)
        return FREE
