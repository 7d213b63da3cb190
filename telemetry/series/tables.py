"""Which figures are shown of tiers, pools, replicas, queues and tenants? One table each.

A point of one second tells of the ten seconds before its end, so that a percentile stands on more than
a handful of requests; a gauge tells of its own second. What nobody knows is ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from coordination.wire.telemetry import OTHER, Batch, Replica
from telemetry.series.tally import Tally, rounded

WINDOW = 10
"""Seconds a point tells of."""
MINUTE = 60
Cells = tuple[float | None, ...]
Rows = dict[str, Cells]


@dataclass(slots=True)
class Second:
    """Everything every gateway told of one second, grouped as the tables need it."""

    gateways: int = 0
    tiers: dict[str, Tally] = field(default_factory=dict)
    pools: dict[str, Tally] = field(default_factory=dict)
    replicas: dict[str, Tally] = field(default_factory=dict)
    tenants: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """(tenant, tier)."""
    queues: dict[str, tuple[int, int]] = field(default_factory=dict)
    """``pool band`` -> depth, longest wait in microseconds."""
    gauges: dict[str, Replica] = field(default_factory=dict)
    """``pool replica`` -> its freshest report."""


def grouped(batches: Iterable[Batch]) -> Second:
    """Raises ``MalformedSketch``; what came in through ``ingest`` holds none."""
    second = Second()
    for batch in batches:
        second.gateways += 1
        for series in batch.series:
            of: list[tuple[dict[str, Tally], str]] = [(second.tiers, series.tier)]
            if series.pool:
                of.append((second.pools, series.pool))
                if series.replica is not None:
                    of.append((second.replicas, f"{series.pool} {series.replica}"))
            tally = Tally()
            tally.add(series)
            for table, key in of:
                table.setdefault(key, Tally()).merge(tally)
            second.tenants.setdefault((series.tenant, series.tier), Tally()).merge(tally)
        for queue in batch.queues:
            key = f"{queue.pool} {queue.band}"
            depth, oldest = second.queues.get(key, (0, 0))
            second.queues[key] = (depth + queue.depth, max(oldest, queue.oldest_us))
        for replica in batch.replicas:
            key = f"{replica.pool} {replica.replica}"
            held = second.gauges.get(key)
            if held is None or _age(replica) < _age(held):
                second.gauges[key] = replica
    return second


def _age(replica: Replica) -> int:
    return replica.age_ms if replica.age_ms is not None else 2**53


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns, and how a row is made of the last seconds, the newest last."""

    name: str
    metrics: tuple[str, ...]
    units: tuple[str, ...]
    rows: Callable[[Sequence[Second]], Rows]
    idle: Cells
    """A row that was heard of before, in a second that was told of without it."""


# -- how a tally becomes cells ------------------------------------------------------------------

SERVED = (
    ("requests", "per second"),
    ("refused", "per second"),
    ("failed", "per second"),
    ("ttft_p50", "ms"),
    ("ttft_p95", "ms"),
    ("itl_p50", "ms"),
    ("itl_p95", "ms"),
    ("queue_p95", "ms"),
    ("tokens", "tokens per second"),
    ("input", "tokens per second"),
    ("cache_hit", "ratio"),
)
SERVED_METRICS = tuple(name for name, _ in SERVED)
SERVED_UNITS = tuple(unit for _, unit in SERVED)


def served(tally: Tally, seconds: int) -> Cells:
    """The columns ``SERVED`` of what was counted in ``seconds``."""
    counts = tally.counts
    return tuple(
        map(
            rounded,
            (
                counts["requests"] / seconds,
                tally.refusals / seconds,
                counts["failed"] / seconds,
                tally.milliseconds("ttft", 50),
                tally.milliseconds("ttft", 95),
                tally.milliseconds("itl", 50),
                tally.milliseconds("itl", 95),
                tally.milliseconds("queue", 95),
                max(counts["streamed"], counts["output"]) / seconds,
                (counts["uncached_input"] + counts["cached_input"]) / seconds,
                tally.cache_hit,
            ),
        )
    )


def merged(seconds: Sequence[Second], table: str) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for second in seconds:
        for key, tally in getattr(second, table).items():
            found.setdefault(key, Tally()).merge(tally)
    return found


def _tiers(seconds: Sequence[Second]) -> Rows:
    told = _told(seconds)
    return {key: served(tally, told) for key, tally in merged(seconds, "tiers").items() if key}


def _told(seconds: Sequence[Second]) -> int:
    """Seconds of the window that somebody told of: rates are over these."""
    return sum(1 for second in seconds if second.gateways) or 1


def _pools(seconds: Sequence[Second]) -> Rows:
    told = _told(seconds)
    tallies = merged(seconds, "pools")
    gauges: dict[str, list[Replica]] = {}
    for gauge in seconds[-1].gauges.values():
        gauges.setdefault(gauge.pool, []).append(gauge)
    rows: Rows = {}
    for pool in tallies.keys() | gauges.keys():
        members = gauges.get(pool, [])
        known = [each for each in members if each.reachable and each.kv_used_ppm is not None]
        kv = [(each.kv_used_ppm or 0) / 1e6 for each in known]
        rows[pool] = (
            *served(tallies.get(pool) or Tally(), told),
            _sum(each.running for each in known),
            _sum(each.waiting for each in known),
            rounded(sum(kv) / len(kv)) if kv else None,
            float(len(members)),
            float(sum(1 for each in members if each.reachable)),
        )
    return rows


def _sum(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(sum(known)) if known else None


def _replicas(seconds: Sequence[Second]) -> Rows:
    told = _told(seconds)
    tallies = merged(seconds, "replicas")
    rows: Rows = {}
    for key, gauge in seconds[-1].gauges.items():
        tally = tallies.get(key) or Tally()
        fresh = bool(gauge.reachable)
        rows[key] = (
            None if gauge.reachable is None else float(gauge.reachable),
            _float(gauge.running if fresh else None),
            _float(gauge.waiting if fresh else None),
            rounded(gauge.kv_used_ppm / 1e6) if fresh and gauge.kv_used_ppm is not None else None,
            rounded(tally.milliseconds("ttft", 95)),
            rounded(tally.cache_hit),
            rounded(max(tally.counts["streamed"], tally.counts["output"]) / told),
            rounded(tally.counts["requests"] / told),
            _float(gauge.age_ms),
        )
    return rows


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)


def _queues(seconds: Sequence[Second]) -> Rows:
    """A band that waited in the last ten seconds and does not now stands at nought."""
    keys = {key for second in seconds for key in second.queues}
    newest = seconds[-1]
    return {
        key: (float(newest.queues.get(key, (0, 0))[0]), rounded(newest.queues.get(key, (0, 0))[1] / 1000))
        for key in keys
    }


def _tenants(seconds: Sequence[Second]) -> Rows:
    told = _told(seconds)
    tallies: dict[str, Tally] = {}
    for second in seconds:
        for (tenant, _), tally in second.tenants.items():
            tallies.setdefault(tenant, Tally()).merge(tally)
    tokens = {tenant: _work(tally) for tenant, tally in tallies.items() if tenant and tenant != OTHER}
    total = sum(tokens.values())
    return {
        tenant: (
            rounded(tallies[tenant].counts["requests"] / told),
            rounded(tallies[tenant].refusals / told),
            rounded(work / told),
            rounded(work / total) if total else None,
        )
        for tenant, work in tokens.items()
    }


def _work(tally: Tally) -> int:
    counts = tally.counts
    return counts["uncached_input"] + counts["cached_input"] + counts["output"]


def attained(tallies: Mapping[str, Tally], seconds: int) -> Rows:
    """By ``tier objective``: promises given per second, and the part of them that was kept."""
    return {
        f"{tier} {key}": (rounded(given / seconds), rounded(kept / given) if given else None)
        for tier, tally in tallies.items()
        for key, (kept, given) in tally.objectives.items()
    }


def _objectives(seconds: Sequence[Second]) -> Rows:
    return attained(merged(seconds, "tiers"), _told(seconds))


FLEET: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table("fleet.tiers", SERVED_METRICS, SERVED_UNITS, _tiers, served(Tally(), 1)),
        Table(
            "fleet.pools",
            (*SERVED_METRICS, "running", "waiting", "kv", "replicas", "reporting"),
            (*SERVED_UNITS, "requests", "requests", "ratio", "replicas", "replicas"),
            _pools,
            (*served(Tally(), 1), None, None, None, None, None),
        ),
        Table(
            "fleet.replicas",
            ("up", "running", "waiting", "kv", "ttft_p95", "cache_hit", "tokens", "requests", "age"),
            ("", "requests", "requests", "ratio", "ms", "ratio", "tokens per second", "per second", "ms"),
            _replicas,
            (None,) * 9,
        ),
        Table("fleet.objectives", ("given", "kept"), ("per second", "ratio"), _objectives, (0.0, None)),
        Table("fleet.queues", ("depth", "oldest"), ("requests", "ms"), _queues, (0.0, 0.0)),
        Table(
            "fleet.tenants",
            ("requests", "refused", "tokens", "share"),
            ("per second", "per second", "tokens per second", "ratio"),
            _tenants,
            (0.0, 0.0, 0.0, 0.0),
        ),
    )
}

# -- one tenant's own ---------------------------------------------------------------------------


def of_tenant(seconds: Iterable[Second], tenant: str) -> dict[str, Tally]:
    """By tier, of ``tenant`` and all below it."""
    below = f"{tenant}/"
    found: dict[str, Tally] = {}
    for second in seconds:
        for (whose, tier), tally in second.tenants.items():
            if whose == tenant or whose.startswith(below):
                found.setdefault(tier, Tally()).merge(tally)
    return found


USAGE_METRICS = ("requests", "refused", "tokens", "input_1m", "output_1m", "requests_1m", "cache_hit")
USAGE_UNITS = (
    "per second",
    "per second",
    "tokens per second",
    "tokens in the last minute",
    "tokens in the last minute",
    "requests in the last minute",
    "ratio",
)
LATENCY_METRICS = ("ttft_p50", "ttft_p95", "itl_p50", "itl_p95", "queue_p95")
ALL = "*"
"""The row of all tiers together; no tier's name."""


def own_usage(seconds: Sequence[Second], tenant: str) -> Rows:
    """``me.usage``: a row a tier and one of all. ``seconds``: the last minute, the newest last."""
    recent = list(islice(reversed(seconds), WINDOW))
    told = _told(recent)
    now, minute = of_tenant(recent, tenant), of_tenant(seconds, tenant)
    for found in (now, minute):
        found[ALL] = _together(found.values())
    return {tier or "none": _used(now.get(tier) or Tally(), told, tally) for tier, tally in minute.items()}


def _together(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in list(tallies):
        total.merge(tally)
    return total


def _used(now: Tally, told: int, minute: Tally) -> Cells:
    counts = minute.counts
    return tuple(
        map(
            rounded,
            (
                now.counts["requests"] / told,
                now.refusals / told,
                max(now.counts["streamed"], now.counts["output"]) / told,
                float(counts["uncached_input"] + counts["cached_input"]),
                float(counts["output"]),
                float(counts["requests"]),
                now.cache_hit,
            ),
        )
    )


def own_latency(seconds: Sequence[Second], tenant: str) -> Rows:
    """``me.latency``: a row a tier. ``seconds``: the last minute."""
    return {tier: latency(tally) for tier, tally in of_tenant(seconds, tenant).items() if tier}


def latency(tally: Tally) -> Cells:
    return tuple(
        rounded(tally.milliseconds(sketch, percent))
        for sketch, percent in (("ttft", 50), ("ttft", 95), ("itl", 50), ("itl", 95), ("queue", 95))
    )


MINE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Sequence[Second], str], Rows]]] = {
    "me.usage": (USAGE_METRICS, USAGE_UNITS, own_usage),
    "me.latency": (LATENCY_METRICS, ("ms",) * len(LATENCY_METRICS), own_latency),
}
