"""What was used and what it costs, as a table by day, tier, model or key, with bars and totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from portal.mapping.limits import exact_money, money

VIEWS = {"day": "Day", "tier": "Tier", "model": "Model", "team": "Team", "key": "Key"}
FIELDS = {"tier": "tier", "model": "model", "team": "tenant", "key": "key_id"}
TOKENS = ("uncached_input", "cached_input", "cache_write", "output")


@dataclass(slots=True)
class Line:
    """Totals of one day, tier, model, team or key."""

    name: str
    requests: int = 0
    uncached: int = 0
    cached: int = 0
    output: int = 0
    cost: dict[str, int] = field(default_factory=dict)
    """Nano-units by currency; the empty currency is what no price book names."""
    percent: float = 0.0
    """Tokens against those of the largest line."""

    @property
    def tokens(self) -> int:
        return self.uncached + self.cached + self.output

    @property
    def costs(self) -> str:
        return " + ".join(money(nano, name) for name, nano in sorted(self.cost.items()) if name)

    @property
    def exact(self) -> str:
        return " + ".join(exact_money(nano, name) for name, nano in sorted(self.cost.items()) if name)

    @property
    def unpriced(self) -> bool:
        return "" in self.cost

    def add(self, row: Mapping[str, Any]) -> None:
        self.requests += row["completed"] + row["interrupted"]
        self.uncached += row["uncached_input"] + row["cache_write"]
        self.cached += row["cached_input"]
        self.output += row["output"] + row["reasoning"]
        self.cost[row["currency"]] = self.cost.get(row["currency"], 0) + row["cost_nano"]


@dataclass(frozen=True, slots=True)
class Table:
    lines: Sequence[Line]
    total: Line


def table(rows: Iterable[Mapping[str, Any]], view: str, days: Sequence[date]) -> Table:
    """``rows`` as the ledger gives them by day; every one of ``days`` has a line when ``view`` is ``day``."""
    lines: dict[str, Line] = {f"{day:%Y-%m-%d}": Line(f"{day:%Y-%m-%d}") for day in days if view == "day"}
    total = Line("Total")
    for row in rows:
        name = f"{row['start']:%Y-%m-%d}" if view == "day" else str(row[FIELDS[view]])
        lines.setdefault(name, Line(name)).add(row)
        total.add(row)
    most = max((line.tokens for line in lines.values()), default=0)
    for line in lines.values():
        line.percent = line.tokens * 100 / most if most else 0.0
    ordered = sorted(lines.values(), key=lambda line: line.name, reverse=view == "day")
    if view != "day":
        ordered.sort(key=lambda line: -line.tokens)
    return Table(ordered, total)


def days_between(since: datetime, until: datetime) -> list[date]:
    """Every day (UTC) that begins in [since, until)."""
    count = max(0, -(-(until - since) // timedelta(days=1)))
    return [(since + timedelta(days=number)).date() for number in range(count)]
