"""What do the rules learn of a replica from what its engine says? (R19)"""

from __future__ import annotations

from coordination.engines import Listing, Reading
from coordination.scheduling.values import ReplicaReport

NONE: frozenset[str] = frozenset()


def report_of(reading: Reading | None, listing: Listing | None, at: int) -> ReplicaReport:
    """``at``: policy-clock microseconds of the answer. Without a page all but its adapters is unknown."""
    loaded = listing.adapters if listing is not None else NONE
    if reading is None:
        return ReplicaReport(at=at, loaded=loaded)
    return ReplicaReport(
        at=at,
        waiting=reading.waiting,
        running=reading.running,
        kv_used_ppm=reading.kv_used_ppm,
        kv_capacity=reading.kv_capacity,
        adapters=reading.adapters or NONE,
        loaded=loaded,
    )
