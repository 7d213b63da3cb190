"""How far did one tenant get ahead of another that waited too? The measure that R16 bounds.

Each node of the fair queues has a tag, the service it was charged over its weight. Among siblings that all
wait, the distance from the one just served to the least is by how much it is ahead. R16 keeps that below
c_f/phi_f + c_g/phi_g + Q, c being the largest request's cost; an estimate that was too low adds to it when
it is settled.
"""

from __future__ import annotations

from typing import Any, Final

from coordination.program.records import MILLION, Micros
from coordination.scheduling import Dispatch
from coordination.scheduling.fairness import LOCALITY_SLACK, Node

OWN: Final = "itself"
"""A tenant's own requests, beside those of its inner tenants."""


class ShareLag:
    """The worst there was, of one simulation."""

    __slots__ = ("_ahead", "_at", "_behind", "_dispatch", "_largest", "_phis", "costliest")

    def __init__(self) -> None:
        self.costliest = 0
        """Largest cost of one request so far, millionths of an uncached input token."""
        self._largest = 0
        self._dispatch: Dispatch | None = None
        self._at: Micros = 0
        self._ahead = self._behind = ""
        self._phis = (MILLION, MILLION)

    def served(self, dispatch: Dispatch, now: Micros) -> None:
        """A request was sent while others wait for its pool: is a node on its path ahead of a sibling?"""
        ticket = dispatch.ticket
        if ticket.cost > self.costliest:
            self.costliest = ticket.cost
        node: Node | None = ticket.leaf
        while node is not None and node.parent is not None:
            parent = node.parent
            if node.backlog:
                least = parent.least()
                if least is not None and node.start - least.start > self._largest:
                    self._largest = node.start - least.start
                    self._dispatch, self._at = dispatch, now
                    self._ahead, self._behind = node.name, least.name
                    self._phis = (node.phi, least.phi)
            node = parent

    def as_json(self, start: Micros) -> dict[str, Any] | None:
        """None where no two siblings ever waited together, or none was ahead."""
        if self._dispatch is None:
            return None
        bound = sum(self.costliest * MILLION // phi for phi in self._phis) + LOCALITY_SLACK
        return {
            "tokens": self._largest // MILLION,
            "bound": bound // MILLION,
            "ahead": self._ahead or OWN,
            "behind": self._behind or OWN,
            "pool": self._dispatch.pool,
            "tier": self._dispatch.decision.tier,
            "at_seconds": round((self._at - start) / MILLION, 6),
        }
