"""Which band of a pool goes next, and which is owed service? (R13, R14)

A band with a minimum share has a deficit D. Each dispatch of cost c outside the lane adds its share of c to
D of every backlogged band; an owed band (D > 0) goes before the higher ones, the largest D first, and pays
D -= c. What a band gets because it is the highest is not held against its minimum; an idle band keeps no
credit. Departing from R14 as written, the bands above the one that was served are credited too: otherwise
one owed band would take from another's share (docs/adr/0090).

F2, over any interval in which band k of K waits throughout: service_k >= m_k S - (K + 1) c_max, where S is
all that was dispatched outside the lane. It is said of estimates at dispatch; settlement corrects D.
"""

from __future__ import annotations

from collections.abc import Sequence

from coordination.program.records import MILLION
from coordination.scheduling.waiting import Queue


def next_band(queues: Sequence[Queue], asked: set[int]) -> Queue | None:
    """Of the queues (lane first, then from the highest band down) with requests, without those already
    ``asked`` in vain: the lane, else the band that is owed most, else the highest."""
    highest: Queue | None = None
    owed: Queue | None = None
    for queue in queues:
        if not queue.depth or queue.band in asked:
            continue
        if queue.is_lane:
            return queue
        if highest is None:
            highest = queue
        if queue.deficit > 0 and (owed is None or queue.deficit > owed.deficit):
            owed = queue
    return owed or highest


def served(queues: Sequence[Queue], queue: Queue, cost: int) -> bool:
    """A request of ``queue`` was dispatched and has left it. Says whether it went because it was owed."""
    owed = queue.deficit > 0
    for other in queues:
        if other.minimum and (other.depth or other is queue):
            other.deficit += cost * other.minimum
    if queue.minimum:
        left = queue.deficit - cost * MILLION
        if not owed and left < 0:
            left = 0  # what it gets as the highest is not held against its minimum
        queue.deficit = left if queue.depth else min(left, 0)
    return owed


def corrected(queues: Sequence[Queue], queue: Queue, delta: int, *, owed: bool) -> None:
    """A request of ``queue`` turned out to cost ``delta`` more than was said (or less: negative).

    Whoever waits now is credited as if it had been said at once; nobody falls into debt for what another
    did not use.
    """
    for other in queues:
        if other.minimum and other.depth:
            moved = other.deficit + delta * other.minimum
            other.deficit = moved if delta > 0 else max(moved, min(other.deficit, 0))
    if owed and queue.minimum:
        left = queue.deficit - delta * MILLION
        queue.deficit = left if queue.depth else min(left, 0)
