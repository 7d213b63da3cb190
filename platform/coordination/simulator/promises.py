"""Which promises did a simulation keep? What tiers promise, and the gates an author set, held against
what was counted.

A time is kept by each request that took at most so long, and the promise by as many requests in a hundred
as it says; a share is of everything counted. The sketches answer to within their bucket (2.2 %).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coordination.program.index import Program
from coordination.program.records import MILLION, ProgramRecords
from coordination.scheduling.attainment import BROKEN
from coordination.simulator.tally import Cell, Key, Tally, total_of
from coordination.spec.kinds.expectation import SHARES, Gate
from coordination.spec.kinds.objective import USUAL_PERCENTILE, Length, Objective
from coordination.spec.quantities import write_duration, write_percent

if TYPE_CHECKING:
    from coordination.compiler.catalogue import Catalogue

SKETCHES: Final = {"ttft": "ttft", "itl": "pace", "tpot": "pace", "e2e": "e2e", "queue": "wait"}
"""Metric -> sketch of a cell it is read from."""
OURS: Final = frozenset({"capacity_exceeded", "reservation_shortfall", "upstream_failed", "upstream_timeout"})
"""Codes that break a promise: the others tell of a caller's own limit or mistake."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One number that must be kept, of the requests in a scope."""

    name: str
    """Of the Expectation or the Tier that makes it."""
    metric: str
    target: int
    """Microseconds at most, or millionths at least."""
    percentile: int = USUAL_PERCENTILE
    """Millionths of a percent; of no meaning for a share."""
    length: Length | None = None
    """The class of requests, by uncached prompt tokens, that it speaks of alone."""
    tier: str | None = None
    tenant: str | None = None
    pool: str | None = None

    @property
    def says(self) -> str:
        if self.metric in SHARES:
            return f"{self.metric} at least {write_percent(self.target)}"
        of = "" if self.length is None else f", {self.length.says}"
        if self.metric == "deadline":
            met = write_percent(self.percentile // 100)
            return f"deadline ({write_duration(self.target)} where none is named) met by at least {met}{of}"
        return f"{self.metric} p{self.percentile / MILLION:g} at most {write_duration(self.target)}{of}"


def gates_of(catalogue: Catalogue) -> tuple[Promise, ...]:
    """The gates of the environment's expectations, by name and as written."""
    return tuple(
        _promise(entry.name, gate, gate.tier, gate.tenant, gate.pool)
        for _, entry in sorted(catalogue.expectations.items())
        if entry.spec.simulate is not None
        for gate in entry.spec.simulate.gates
    )


def objectives_of(catalogue: Catalogue) -> tuple[Promise, ...]:
    """What the tiers promise."""
    return tuple(
        _promise(name, objective, name, None, None)
        for name, entry in sorted(catalogue.tiers.items())
        for objective in entry.spec.objectives
    )


def carried_by(records: ProgramRecords) -> tuple[Promise, ...]:
    """Of what the tiers promise, all that a program knows: first tokens, classes and deadlines."""
    return tuple(
        Promise(
            name=tier.name,
            metric=one.metric,
            target=one.target,
            percentile=one.percentile or USUAL_PERCENTILE,
            length=None
            if one.uncached_input is None
            else Length(min=one.uncached_input.min, max=one.uncached_input.max),
            tier=tier.name,
        )
        for tier in records.tiers
        for one in tier.objectives
    )


def verdict_of(reports: Iterable[dict[str, Any]]) -> str | None:
    """``holds`` when every gate does in every report (one that nothing was counted for does not), else
    ``fails``; None without gates."""
    gates = [gate["holds"] for one in reports for gate in one.get("gates", ())]
    if not gates:
        return None
    return "holds" if all(gates) else "fails"


def verdicts(promises: Iterable[Promise], tally: Tally, program: Program) -> list[dict[str, Any]]:
    """Each promise with what was counted. ``holds`` is None where nothing was."""
    return [_verdict(promise, tally, program) for promise in promises]


def _promise(
    name: str, made: Gate | Objective, tier: str | None, tenant: str | None, pool: str | None
) -> Promise:
    target = made.target.share if made.metric in SHARES else made.target.time
    return Promise(
        name=name,
        metric=made.metric,
        target=target or 0,
        percentile=made.percentile or USUAL_PERCENTILE,
        length=made.uncached_input,
        tier=tier,
        tenant=tenant,
        pool=pool,
    )


def _verdict(promise: Promise, tally: Tally, program: Program) -> dict[str, Any]:
    cell = total_of(_scope(promise, tally, program))
    value: float | None
    if promise.metric in SHARES:
        kept, given = _counted(promise.metric, cell)
        value = kept / given if given else None
        needed = promise.target
    elif promise.metric == "deadline":
        kept = cell.done_by(promise.target)
        given = cell.completed + sum(count for code, count in cell.refused.items() if code in BROKEN)
        value = kept / given if given else None
        needed = promise.percentile // 100
    else:
        sketch = getattr(cell, SKETCHES[promise.metric])
        kept, given = sketch.count_at_most(promise.target), sketch.count
        at = sketch.percentile(promise.percentile / MILLION)
        value = None if at is None else at / MILLION
        needed = promise.percentile // 100
    length = None if promise.length is None else {"min": promise.length.min, "max": promise.length.max}
    scope = {
        "tier": promise.tier,
        "tenant": promise.tenant,
        "pool": promise.pool,
        "uncached_input": length,
    }
    return {
        "name": promise.name,
        "metric": promise.metric,
        **{part: name for part, name in scope.items() if name is not None},
        "says": promise.says,
        "value": None if value is None else round(value, 6),
        "kept": kept,
        "given": given,
        "holds": kept * MILLION >= needed * given if given else None,
    }


def _counted(metric: str, cell: Cell) -> tuple[int, int]:
    if metric == "cache_hit":
        return cell.cached, cell.cached + cell.uncached
    ours = sum(count for code, count in cell.refused.items() if code in OURS)
    return cell.completed, cell.completed + ours


def _scope(promise: Promise, tally: Tally, program: Program) -> Iterator[Cell]:
    for key, cell in tally.cells.items():
        if _within(promise, key, program):
            yield cell.of(promise.length)


def _within(promise: Promise, key: Key, program: Program) -> bool:
    tenant, tier, pool = key
    if promise.tier not in (None, tier) or promise.pool not in (None, pool):
        return False
    if promise.tenant is None:
        return True
    known = program.tenants.get(tenant)
    return known is not None and promise.tenant in known.path
