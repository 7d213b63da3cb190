"""Is this replica open, and how loaded is it? (R19)

Own counts are exact and immediate. A scraped report adds only what others have put there (reported
minus own, at the instant of the scrape), and only while it is fresh.
"""

from __future__ import annotations

from typing import Final

from coordination.program.records import MILLION, Micros
from coordination.scheduling.health import Health
from coordination.scheduling.values import ReplicaReport

GATE_US: Final[Micros] = MILLION // 4
"""G of R19: a replica takes more work while at most this much prefill is in flight on it. One that would find
nothing for its next step takes one request more (``begun``): docs/adr/0107."""
STALE_AFTER: Final[Micros] = 3 * MILLION
RECENT_SLICE: Final[Micros] = 10 * MILLION
RECENT_SLICES: Final = 6
"""Six slices of ten seconds: the last minute of R21's tie-break."""
BIT_SPACE: Final = 16
BIT_MASK: Final = (1 << BIT_SPACE) - 1
RECENT_SPACE: Final = 44
NONE: Final[frozenset[str]] = frozenset()
_RECENT_MASK: Final = (1 << RECENT_SPACE) - 1


class Replica:
    """One engine, as the gateway that sends it work sees it."""

    __slots__ = (
        "adapters",
        "awaited",
        "backlog_us",
        "bit",
        "foreign_kv_tokens",
        "foreign_sequences",
        "health",
        "key",
        "kv_tokens",
        "loaded",
        "mask",
        "newest",
        "parked",
        "parked_us",
        "recent",
        "recent_slices",
        "report",
        "resident",
        "retired",
        "sequences",
        "url",
    )

    def __init__(self, url: str, bit: int) -> None:
        self.url = url
        self.bit = bit
        self.mask = 1 << bit
        self.backlog_us = 0
        """Uncached prefill in flight: sent, first byte not seen."""
        self.newest: object | None = None
        """The ticket sent last, and ..."""
        self.awaited: object | None = None
        """... the one whose first byte says that the engine chooses anew what to compute: of those it found
        when it last did, the one sent last. None: it prefills nothing."""
        self.parked_us = 0
        """Uncached prefill of requests that wait with this replica as their home."""
        self.parked = 0
        self.sequences = 0
        self.kv_tokens = 0
        self.foreign_sequences = 0
        self.foreign_kv_tokens = 0
        self.report: ReplicaReport | None = None
        self.adapters: frozenset[str] = NONE
        self.loaded: frozenset[str] = NONE
        self.recent = 0
        """Tokens computed in the last minute."""
        self.recent_slices = [0] * RECENT_SLICES
        self.resident = 0
        """Prompt tokens of the sessions that live here (``sessions``)."""
        self.health = Health()
        self.retired = False
        self.key = -1
        """Its place in the pool's order of least loaded replicas, as of when that was last asked for: load,
        recent tokens and bit in one integer."""

    @property
    def begun(self) -> bool:
        """Was nothing sent since the engine last chose what to compute, as far as first bytes tell? Then it
        finds nothing when it next does."""
        return self.awaited is self.newest is not None

    def prefilled(self, ticket: object) -> None:
        """Of a ticket no first byte is awaited here any more: it came, or never will."""
        if self.newest is ticket:
            self.newest = None if self.awaited is ticket else self.awaited
        if self.awaited is ticket:
            self.awaited = self.newest

    def ahead(self, below: list[dict[int, int]]) -> Micros:
        """Prefill ahead of a request that came now: in flight and parked, but for what waits ``below`` it."""
        load = self.backlog_us + self.parked_us
        for parked in below:
            load -= parked.get(self.bit, 0)
        return load

    def observed(self, report: ReplicaReport, kv_capacity: int) -> None:
        """Take over an engine's own view: what exceeds our counts is other gateways' work. KV memory that
        ``kv_capacity``, the pool's, has and the engine has not counts as taken."""
        self.report = report
        self.adapters, self.loaded = report.adapters, report.loaded
        running = (report.running or 0) + (report.waiting or 0)
        self.foreign_sequences = max(0, running - self.sequences)
        there = report.kv_capacity or kv_capacity
        if report.kv_used_ppm is not None:
            taken = max(0, report.kv_used_ppm * there // MILLION - self.kv_tokens)
            self.foreign_kv_tokens = taken + max(0, kv_capacity - there)

    def forget_report(self) -> None:
        self.report = None
        self.adapters = NONE
        self.foreign_sequences = 0
        self.foreign_kv_tokens = 0

    def has_room(self, sequences: int, kv_tokens: int) -> bool:
        """Below the caps on concurrent sequences and KV tokens."""
        return (
            self.sequences + self.foreign_sequences < sequences
            and self.kv_tokens + self.foreign_kv_tokens < kv_tokens
        )


def key_of(load_us: Micros, recent: int, bit: int) -> int:
    """One integer that sorts by load, then recent tokens, then bit."""
    return ((load_us << RECENT_SPACE | recent) << BIT_SPACE) | bit


def load_in(key: int) -> Micros:
    return key >> BIT_SPACE + RECENT_SPACE


def recent_in(key: int) -> int:
    return key >> BIT_SPACE & _RECENT_MASK
