"""What does a page of usage say? Totals by currency, bars by step, and the lines as the ledger has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledger.selectors import Wanted, usage

HEIGHT, WIDTH, GAP = 96, 720, 2
"""Of the drawing, in its own units."""
MOST_BARS = 120


@dataclass(slots=True)
class Totals:
    """Of everything wanted, in one currency."""

    currency: str
    events: int = 0
    completed: int = 0
    interrupted: int = 0
    uncached_input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    cost_nano: int = 0
    saved_nano: int = 0

    @property
    def input(self) -> int:
        return self.uncached_input + self.cached_input + self.cache_write

    @property
    def generated(self) -> int:
        return self.output + self.reasoning

    @property
    def cached_percent(self) -> float | None:
        """Of the input, by tokens."""
        return 100 * self.cached_input / self.input if self.input else None

    @property
    def saved_percent(self) -> float | None:
        """Of what all of it would have cost without a cache."""
        full = self.cost_nano + self.saved_nano
        return 100 * self.saved_nano / full if full else None


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    y: float
    height: float
    saved_y: float
    saved_height: float
    says: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Cost by step, with what caching saved on top; tokens where nothing has a price."""

    of: str
    bars: list[Bar] = field(default_factory=list)
    most: int = 0
    first: datetime | None = None
    last: datetime | None = None


def totals(wanted: Wanted) -> list[Totals]:
    """One a currency."""
    rows = usage(replace(wanted, step="all", by=()))
    names = [name for name in Totals.__dataclass_fields__ if name != "currency"]
    return [Totals(row["currency"], **{name: row[name] for name in names}) for row in rows]


def drawing(wanted: Wanted, currencies: Iterable[str]) -> Drawing | None:
    """By the step asked for; None where there are no steps, or too many to tell apart."""
    if wanted.step == "all":
        return None
    currency = next((each for each in currencies if each), "")
    rows = [row for row in usage(replace(wanted, by=())) if row["currency"] == currency]
    if not rows or len(rows) > MOST_BARS:
        return None
    values = [_heights(row, bool(currency)) for row in rows]
    most = max(paid + saved for paid, saved in values)
    if not most:
        return None
    step = WIDTH / len(rows)
    bars = []
    for place, (row, (paid, saved)) in enumerate(zip(rows, values, strict=True)):
        tall, more = HEIGHT * paid / most, HEIGHT * saved / most
        bars.append(
            Bar(
                x=round(place * step + GAP / 2, 2),
                width=round(max(1.0, min(step - GAP, 48)), 2),
                y=round(HEIGHT - tall, 2),
                height=round(tall, 2),
                saved_y=round(HEIGHT - tall - more, 2),
                saved_height=round(more, 2),
                says=_says(row, wanted.step),
            )
        )
    return Drawing(currency, bars, most, rows[0]["start"], rows[-1]["start"])


def _heights(row: dict[str, Any], priced: bool) -> tuple[int, int]:
    if priced:
        return row["cost_nano"], row["saved_nano"]
    return row["uncached_input"] + row["cache_write"] + row["output"] + row["reasoning"], row["cached_input"]


def _says(row: dict[str, Any], step: str) -> str:
    form = {"hour": "%-d %b %Y, %H:00 UTC", "day": "%-d %b %Y", "month": "%B %Y"}[step]
    return f"{row['start']:{form}}"
