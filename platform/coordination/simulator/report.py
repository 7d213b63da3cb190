"""What did the simulation find? One JSON-ready object, the same for the same inputs and seed.

Times are seconds, shares are fractions of one, costs are in uncached input tokens (``share_lag`` per unit
of weight), money in the price book's currency. Percentiles carry the sketch's error (2.2 %); means are exact.
"""

from __future__ import annotations

from typing import Any

from coordination.program.index import Program
from coordination.program.records import MILLION
from coordination.scheduling import Dispatch, explain
from coordination.simulator.loop import Simulation
from coordination.simulator.replica import Replica
from coordination.simulator.tally import COLUMNS, Cell, Tally, total_of
from coordination.sketch import Sketch

NANO = 1_000_000_000
PERCENTILES = (50, 90, 95, 99)


def report(simulation: Simulation, inputs: dict[str, Any]) -> dict[str, Any]:
    """The whole result. ``inputs`` names what it was a function of, and is carried unchanged."""
    tally, program = simulation.tally, simulation.program
    total = tally.total()
    seconds = (simulation.now - simulation.start) / MILLION
    endless, shared = simulation.bounds.shares()
    gaps = Sketch()
    for replica in simulation.replicas.values():
        gaps.merge(replica.gaps)
    found: dict[str, Any] = {
        "requests": simulation.arrived,
        "completed": total.completed,
        "refused": _refused(total),
        "simulated_seconds": round(seconds, 6),
        **_latencies(total, gaps),
        "cache": {
            "token_hit": _share(total.cached, total.cached + total.uncached),
            "bound_infinite": round(endless, 6),
            "bound_shared_lru": round(shared, 6),
        },
        "imbalance": _imbalance(simulation),
        "tokens": _tokens(total, seconds),
        "utilisation": _busy(list(simulation.replicas.values()), seconds),
        "spend": round(total.spend / NANO, 6),
        "currency": _currency(program),
        "share_lag": tally.lag.as_json(simulation.start),
        "tiers": _groups(tally, 1, total),
        "tenants": _shares(program, _groups(tally, 0, total)),
        "pools": _pools(simulation, seconds),
        "reservations": _reservations(simulation),
        "replicas": [_replica(one, tally, seconds) for one in simulation.replicas.values()],
        "steering": _steering(simulation),
        "timeline": _timeline(tally),
        "worst": [_worst(ttft, dispatch) for ttft, _, dispatch in sorted(tally.worst, reverse=True)],
        "inputs": inputs,
    }
    return found


def _currency(program: Program) -> str | None:
    """What spend is counted in; None without price books, and where they have several."""
    found = {book.currency for book in program.records.price_books}
    return found.pop() if len(found) == 1 else None


def _steering(simulation: Simulation) -> dict[str, Any]:
    """What routes did beside sending requests: second attempts by route, canaries given up, and what is
    written and was not simulated."""
    state, routes = simulation.state, simulation.program.routes.values()
    verdicts = [one.given_up for of in state.trials.values() for one in of.trials.values() if one.given_up]
    return {
        "hedging": {
            route: {"requests": one.requests, "second_attempts": one.second, "won": one.won}
            for route, one in sorted(state.hedges.items())
        },
        "canaries_given_up": [
            {
                "route": one.route,
                "pool": one.pool,
                "why": one.why,
                "at_seconds": round((one.at - simulation.start) / MILLION, 6),
                "requests": one.requests,
                "figure": one.figure,
                "others": one.others,
            }
            for one in verdicts
        ],
        "not_simulated": [
            f"copies of route {route.name} to pool {pool}: they would load its replicas"
            for route in routes
            for pool, _ in route.mirrors
        ],
    }


def latency(sketch: Sketch) -> dict[str, float | None]:
    """Mean and percentiles of a sketch of microseconds, in seconds."""
    mean = sketch.mean
    told: dict[str, float | None] = {"mean": None if mean is None else round(mean / MILLION, 6)}
    for percent in PERCENTILES:
        value = sketch.percentile(percent)
        told[f"p{percent}"] = None if value is None else round(value / MILLION, 6)
    return told


def _latencies(cell: Cell, gaps: Sketch | None = None) -> dict[str, Any]:
    """``itl`` counts every gap where the engines did (the whole, a pool, a replica); elsewhere each
    request's mean gap as often as it had gaps."""
    return {
        "ttft": latency(cell.ttft),
        "itl": latency(cell.pace if gaps is None else gaps),
        "e2e": latency(cell.e2e),
        "queue": latency(cell.wait),
    }


def _groups(tally: Tally, position: int, total: Cell) -> dict[str, dict[str, Any]]:
    """Cells by one part of their key: 0 the tenant, 1 the tier served."""
    return {
        name: {
            "requests": cell.requests,
            "completed": cell.completed,
            "refused": _refused(cell),
            "downgraded": cell.downgraded,
            **_latencies(cell),
            "tokens": {"uncached_input": cell.uncached, "cached_input": cell.cached, "output": cell.output},
            "token_hit": _share(cell.cached, cell.cached + cell.uncached),
            "cost": cell.cost // MILLION,
            "cost_share": _share(cell.cost, total.cost),
            "spend": round(cell.spend / NANO, 6),
        }
        for name, cell in tally.merged(lambda key: key[position]).items()
    }


def _shares(program: Program, tenants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Adds the weight each tenant has, so that its share of the service can be read beside it."""
    weights: dict[str, int] = {}
    for quota in program.quotas.values():
        weights[quota.tenant] = max(quota.weight_ppm, weights.get(quota.tenant, 0))
    for name, told in tenants.items():
        told["weight"] = weights.get(name, MILLION) / MILLION
    return tenants


def _pools(simulation: Simulation, seconds: float) -> dict[str, dict[str, Any]]:
    cells = simulation.tally.merged(lambda key: key[2])
    told: dict[str, dict[str, Any]] = {}
    for pool in simulation.program.records.pools:
        cell = cells.get(pool.name, Cell())
        replicas = [simulation.replicas[url] for url in pool.replicas]
        gaps = Sketch()
        for replica in replicas:
            gaps.merge(replica.gaps)
        told[pool.name] = {
            "requests": cell.requests,
            "completed": cell.completed,
            "refused": _refused(cell),
            **_latencies(cell, gaps),
            "token_hit": _share(cell.cached, cell.cached + cell.uncached),
            "utilisation": _busy(replicas, seconds),
            "imbalance": _spread(replicas),
            "tokens": _tokens(cell, seconds),
        }
    return told


def _reservations(simulation: Simulation) -> dict[str, dict[str, Any]]:
    """What became of the reserved traffic of each reservation's tenant and tier."""
    program, tally, kept = simulation.program, simulation.tally, simulation.state.kept
    told: dict[str, dict[str, Any]] = {}
    for name, reservation in program.reservations.items():
        cell = total_of(
            cell
            for (tenant, tier, pool), cell in tally.cells.items()
            if tier == reservation.tier
            and pool == reservation.pool
            and reservation.tenant in program.tenants[tenant].path
        )
        told[name] = {
            "tenant": reservation.tenant,
            "pool": reservation.pool,
            "used": cell.lane,
            "spilled": cell.spilled,
            "shortfall": cell.refused["reservation_shortfall"],
            "exceeded": cell.refused["reservation_exceeded"],
            "promised": kept[reservation.name].promised if reservation.name in kept else 0,
            "honoured": kept[reservation.name].honoured if reservation.name in kept else 0,
            "ttft": latency(cell.ttft),
        }
    return told


def _replica(replica: Replica, tally: Tally, seconds: float) -> dict[str, Any]:
    ttft, e2e = tally.by_replica.get(replica.name, (Sketch(), Sketch()))
    return {
        "name": replica.name,
        "utilisation": _busy([replica], seconds),
        "input_tokens": replica.input_tokens,
        "computed_tokens": replica.computed_tokens,
        "output_tokens": replica.output_tokens,
        "token_hit": _share(replica.input_tokens - replica.computed_tokens, replica.input_tokens),
        "ttft": latency(ttft),
        "itl": latency(replica.gaps),
        "e2e": latency(e2e),
        "steps": replica.steps,
        "most_sequences": replica.most_sequences,
        "most_kv": _share(replica.most_blocks, replica.cache.capacity),
    }


def _imbalance(simulation: Simulation) -> dict[str, float]:
    """Of the pool where it is worst: the most loaded replica's part over the mean."""
    by_pool = [
        _spread([simulation.replicas[url] for url in pool.replicas])
        for pool in simulation.program.records.pools
    ]
    return {name: max(one[name] for one in by_pool) for name in ("input", "computed")}


def _spread(replicas: list[Replica]) -> dict[str, float]:
    told = {}
    for name, tokens in (
        ("input", [one.input_tokens for one in replicas]),
        ("computed", [one.computed_tokens for one in replicas]),
    ):
        total = sum(tokens)
        told[name] = round(max(tokens) * len(tokens) / total, 6) if total else 1.0
    return told


def _timeline(tally: Tally) -> dict[str, Any]:
    """Columns, one entry for each window."""
    windows = tally.timeline.windows
    columns: dict[str, list[Any]] = {name: [getattr(window, name) for window in windows] for name in COLUMNS}
    columns["ttft_mean"] = [
        round(window.ttft_us / window.firsts / MILLION, 6) if window.firsts else None for window in windows
    ]
    return {"window_seconds": tally.timeline.length_us / MILLION, **columns}


def _worst(ttft: int, dispatch: Dispatch) -> dict[str, Any]:
    return {"ttft": ttft / MILLION, **explain(dispatch)}


def _tokens(cell: Cell, seconds: float) -> dict[str, Any]:
    span = max(seconds, 1e-9)
    return {
        "uncached_input": cell.uncached,
        "cached_input": cell.cached,
        "output": cell.output,
        "input_per_second": round((cell.uncached + cell.cached) / span, 3),
        "output_per_second": round(cell.output / span, 3),
    }


def _refused(cell: Cell) -> dict[str, int]:
    return dict(sorted(cell.refused.items()))


def _busy(replicas: list[Replica], seconds: float) -> float:
    busy = sum(one.busy_us for one in replicas) / MILLION
    return round(min(1.0, busy / max(seconds * len(replicas), 1e-9)), 6)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
