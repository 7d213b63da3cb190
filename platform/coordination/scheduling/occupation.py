"""What does work take up at a replica that no ticket stands for: a second attempt, a mirrored copy?

The gate counts it as any other (R19), or a replica would be sent more than it can do.
"""

from __future__ import annotations

from coordination.program.records import Micros
from coordination.scheduling.pools import PoolState
from coordination.scheduling.replicas import Replica


class Occupation:
    """A place at a replica. Given back once, by ``vacate``."""

    __slots__ = ("kv_tokens", "ordinary", "pool", "prefill_us", "prefilling", "replica")

    def __init__(
        self, pool: PoolState, replica: Replica, prefill_us: Micros, kv_tokens: int, ordinary: bool
    ) -> None:
        self.pool = pool
        self.replica = replica
        self.prefill_us = prefill_us
        self.kv_tokens = kv_tokens
        self.ordinary = ordinary
        """Outside the reservation lane: what R19 holds back from."""
        self.prefilling = True


def occupy(
    pool: PoolState, replica: Replica, prefill_us: Micros, kv_tokens: int, *, ordinary: bool
) -> Occupation:
    """Take a place: from now on the gate counts it."""
    replica.backlog_us += prefill_us
    replica.sequences += 1
    replica.kv_tokens += kv_tokens
    if ordinary:
        pool.ordinary_sequences += 1
        pool.ordinary_kv += kv_tokens
    pool.refresh(replica)
    return Occupation(pool, replica, prefill_us, kv_tokens, ordinary)


def prefilled(place: Occupation) -> None:
    """Its first byte came: its prefill is no longer ahead of anybody."""
    if place.prefilling:
        place.prefilling = False
        place.replica.backlog_us -= place.prefill_us
        place.pool.refresh(place.replica)


def vacate(place: Occupation) -> None:
    """Give the place back."""
    prefilled(place)
    place.replica.sequences -= 1
    place.replica.kv_tokens -= place.kv_tokens
    if place.ordinary:
        place.pool.ordinary_sequences -= 1
        place.pool.ordinary_kv -= place.kv_tokens
    place.pool.refresh(place.replica)
