"""In which order do the requests of one tenant go? (R17)

``fcfs``: by arrival. ``deadline``: the earliest deadline first; who states none has until ``max_wait``.
``las``: whose run has been served least goes first, by powers of two of 8,000 tokens; a run that has begun
goes before a new one; who has waited half of ``max_wait`` counts as not served at all, so nobody starves.
In a run: by step, then by arrival.

A turn is a tuple that sorts; the tiers of one band may order differently and still compare. Tickets of fcfs
tiers have none: their leaves are plain queues, unless they share a leaf with others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordination.program.records import Micros

if TYPE_CHECKING:
    from coordination.scheduling.decisions import Ticket

UNIT: Final = 8000
"""Attained service up to which all runs are alike."""

Turn = tuple[int, int, Micros, int, int]
"""(level, 1 for a new run, latest instant, step, position among all admitted)"""


def level(attained: int) -> int:
    """floor log2(1 + attained / 8k)."""
    return (1 + attained // UNIT).bit_length() - 1


def turn(ticket: Ticket, since: Micros) -> Turn:
    """``since``: when the first waiting request of its run came, or itself."""
    tier, request = ticket.scope.tier, ticket.request
    if tier.order == "las":
        run = request.run
        if run is None:
            return (0, 1, since + tier.max_wait, 0, ticket.order)
        return (
            0 if ticket.aged else level(run.attained),
            int(run.step <= 1 and not run.attained),
            since + tier.max_wait,
            run.step,
            ticket.order,
        )
    latest = ticket.enqueued + tier.max_wait
    if tier.order == "deadline" and request.deadline is not None:
        latest = request.deadline
    return (0, 0, latest, 0, ticket.order)


def ages_at(ticket: Ticket) -> Micros | None:
    """When a request of ``las`` order has waited long enough to count as not served; None: never."""
    run = ticket.request.run
    if run is None or ticket.aged or ticket.scope.tier.order != "las" or not level(run.attained):
        return None
    return ticket.enqueued + ticket.scope.tier.max_wait // 2
