"""What was each table at each step of a stretch of time? From the hub's seconds, or from stored minutes.

The finest resolution is chosen that keeps within ``MOST_POINTS``, and the answer says which it is. Points
bear the end of the stretch they tell of, as live frames do, so that both stand at the same place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telemetry.live import running
from telemetry.models.series import QueueMinute
from telemetry.series import store
from telemetry.series.tables import FLEET, SERVED_METRICS, SERVED_UNITS, Cells, Rows, attained, served
from telemetry.series.tally import Tally, rounded

MOST_POINTS = 600
STEPS = (60, 300, 900, 3600, 6 * 3600, 24 * 3600)
"""Seconds of a step that stored minutes are added up to."""
LONGEST = 31 * 24 * 3600
SKETCHED = ("ttft", "itl", "queue")
OF_MINUTES = ("fleet.tiers", "fleet.pools", "fleet.tenants", "fleet.queues", "fleet.objectives")
"""Tables that have a past beyond the last quarter hour."""


@dataclass(frozen=True, slots=True)
class History:
    """One table over a stretch of time."""

    step: int
    """Seconds."""
    origin: str
    """``recent`` (the hub's seconds) or ``minutes`` (stored)."""
    metrics: tuple[str, ...]
    units: tuple[str, ...]
    points: list[tuple[int, Rows]]
    """(end of the step in seconds since 1970, rows); a step nothing is known of is left out."""
    following: int | None
    """Where the next page begins."""


def step_for(environment: str, table: str, since: int, until: int) -> int:
    """Seconds: 1 while the hub of this process remembers that far back."""
    hub = running.hub()
    reaches = hub.remembers_since(environment) if hub is not None else None
    if reaches is not None and since >= reaches:
        return 1
    if table not in OF_MINUTES:
        return 1
    return next((step for step in STEPS if (until - since) / step <= MOST_POINTS), STEPS[-1])


def history(environment: str, table: str, since: int, until: int, step: int, limit: int) -> History:
    """At most ``limit`` steps of [since, until)."""
    first = since - since % step
    last = min(until, first + limit * step)
    following = last if last < until else None
    columns, units = _columns(table)
    if step == 1:
        hub = running.hub()
        seconds = [] if hub is None else hub.points(environment, table, first, last)
        points = [(second + 1, rows) for second, rows in seconds]
        return History(1, "recent", FLEET[table].metrics, FLEET[table].units, points, following)
    made = _queues if table == "fleet.queues" else _minutes
    return History(step, "minutes", columns, units, made(environment, table, first, last, step), following)


def _columns(table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if table in ("fleet.tiers", "fleet.pools"):
        return SERVED_METRICS, SERVED_UNITS
    return FLEET[table].metrics, FLEET[table].units


def _minutes(environment: str, table: str, since: int, until: int, step: int) -> list[tuple[int, Rows]]:
    steps: dict[int, dict[str, Tally]] = {}
    sketched = SKETCHED if table in ("fleet.tiers", "fleet.pools") else ()
    for row in store.minutes(environment, since // 60, -(-until // 60)):
        key = {"fleet.pools": row.pool, "fleet.tenants": row.tenant}.get(table, row.tier)
        if key:
            begin = row.minute * 60 // step * step
            tallies = steps.setdefault(begin, {})
            tallies.setdefault(key, Tally()).merge(store.tally_of(row, sketched))
    rows = {"fleet.tenants": _shares, "fleet.objectives": attained}.get(table, _served)
    return [(begin + step, rows(tallies, step)) for begin, tallies in sorted(steps.items())]


def _served(tallies: dict[str, Tally], step: int) -> Rows:
    return {key: served(tally, step) for key, tally in tallies.items()}


def _shares(tallies: dict[str, Tally], step: int) -> Rows:
    work = {
        key: sum(tally.counts[name] for name in ("uncached_input", "cached_input", "output"))
        for key, tally in tallies.items()
    }
    total = sum(work.values())
    return {
        key: (
            rounded(tally.counts["requests"] / step),
            rounded(tally.refusals / step),
            rounded(work[key] / step),
            rounded(work[key] / total) if total else None,
        )
        for key, tally in tallies.items()
    }


def _queues(environment: str, _table: str, since: int, until: int, step: int) -> list[tuple[int, Rows]]:
    """The deepest and the longest wait of each step: an average would hide what people felt."""
    rows = QueueMinute.objects.filter(
        environment=environment, minute__gte=since // 60, minute__lt=-(-until // 60)
    )
    steps: dict[int, dict[str, tuple[int, int]]] = {}
    for minute, pool, band, most, oldest in rows.order_by("minute").values_list(
        "minute", "pool", "band", "most", "oldest_us"
    ):
        tables = steps.setdefault(minute * 60 // step * step, {})
        depth, wait = tables.get(f"{pool} {band}", (0, 0))
        tables[f"{pool} {band}"] = (max(depth, most), max(wait, oldest))
    return [(begin + step, _depths(tables.items())) for begin, tables in sorted(steps.items())]


def _depths(seen: Iterable[tuple[str, tuple[int, int]]]) -> dict[str, Cells]:
    return {key: (float(depth), rounded(oldest / 1000)) for key, (depth, oldest) in seen}
