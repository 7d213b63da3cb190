"""What speaks for a replica, when a route weighs that itself? (R21, ``placement.scorers``)

Each scorer gives a candidate between nothing and one, in millionths; the largest weighted sum wins. All look
at the few candidates of R21 only: the deepest matches, the least loaded, and, where adapters are weighed, the
least loaded of those that have the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from coordination.program.index import Pool
from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling.replicas import Replica


class Candidate(NamedTuple):
    """A replica a request might go to."""

    replica: Replica
    load_us: Micros
    """Prefill ahead of the request there."""
    prefill_us: Micros
    """Of its own uncached part."""
    depth: int
    """Blocks of it that are cached there."""


class Field(NamedTuple):
    """What scorers measure a candidate against."""

    pool: Pool
    blocks: int
    """Of the prompt."""
    lives_at: Replica | None
    """Where its session does."""
    most_load: Micros
    """Of any candidate."""
    quickest: Micros
    """Least estimate of a first byte."""
    adapter: str
    """The one the request is for, if any."""


def _cache(one: Candidate, field: Field) -> Ppm:
    return one.depth * MILLION // field.blocks if field.blocks else 0


def _prefill(one: Candidate, field: Field) -> Ppm:
    return MILLION - one.load_us * MILLION // field.most_load if field.most_load else MILLION


def _kv_free(one: Candidate, field: Field) -> Ppm:
    used = one.replica.kv_tokens + one.replica.foreign_kv_tokens
    return max(0, MILLION - used * MILLION // field.pool.kv_tokens)


def _running(one: Candidate, field: Field) -> Ppm:
    running = one.replica.sequences + one.replica.foreign_sequences
    return max(0, MILLION - running * MILLION // field.pool.sequences)


def _latency(one: Candidate, field: Field) -> Ppm:
    estimate = one.load_us + one.prefill_us
    return field.quickest * MILLION // estimate if estimate else MILLION


def _locality(one: Candidate, field: Field) -> Ppm:
    return MILLION if one.replica is field.lives_at else 0


def _adapter(one: Candidate, field: Field) -> Ppm:
    """In use there: no other has to make room for it. Loaded: it has to be brought to the accelerator."""
    if field.adapter in one.replica.adapters:
        return MILLION
    return MILLION // 2 if field.adapter in one.replica.loaded else 0


SCORERS: Final[Mapping[str, Callable[[Candidate, Field], Ppm]]] = {
    "cache": _cache,
    "prefill": _prefill,
    "kv_free": _kv_free,
    "running": _running,
    "latency": _latency,
    "locality": _locality,
    "adapter": _adapter,
}


def best_of(
    candidates: list[Candidate],
    weights: Mapping[str, Ppm],
    pool: Pool,
    blocks: int,
    lives_at: Replica | None,
    adapter: str,
) -> Candidate:
    """The candidate with the largest sum; of equals the one that computed least in the last minute."""
    field = Field(
        pool,
        blocks,
        lives_at,
        max(one.load_us for one in candidates),
        min(one.load_us + one.prefill_us for one in candidates),
        adapter,
    )

    def worth(one: Candidate) -> tuple[int, int, int]:
        total = sum(weight * SCORERS[name](one, field) for name, weight in weights.items())
        return (-total, one.replica.recent, one.replica.bit)

    return min(candidates, key=worth)
