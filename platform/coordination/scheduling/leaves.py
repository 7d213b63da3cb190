"""In which order do one tenant's requests stand in one queue, and which of them have a home? (R17, R20)"""

from __future__ import annotations

from bisect import insort
from collections import deque

from coordination.program.records import Micros
from coordination.scheduling.decisions import WAITING, Ticket
from coordination.scheduling.fairness import Node
from coordination.scheduling.turns import Turn, turn


class Leaf(Node):
    """The requests of one tenant (or reservation) in one queue, in the order in which they go.

    First those with a home, then the others: a plain queue, or a sorted line once a request of another order
    than fcfs has come. Both may hold tickets that have left; they are skipped when reached.
    """

    __slots__ = ("cost_ahead", "homed", "line", "listed", "rest", "runs")

    def __init__(self, name: str, parent: Node | None, order: int) -> None:
        super().__init__(name, parent, order)
        self.homed: list[Ticket] = []
        self.rest: deque[Ticket] = deque()
        self.line: list[Ticket] | None = None
        """In place of ``rest``, sorted by turn."""
        self.runs: dict[str, Micros] = {}
        """Run -> when the first of its requests came, of those that joined since the leaf was empty."""
        self.cost_ahead = 0
        self.listed = False
        """Already among the leaves whose next requests want a home."""

    def clear(self) -> None:
        """Let go of its parent and of whoever waits."""
        super().clear()
        self.homed.clear()
        self.rest.clear()
        self.line = None

    @property
    def has_unhomed(self) -> bool:
        """May a request without a home wait here?"""
        return bool(self.rest) or bool(self.line)

    def overtaken(self) -> bool:
        """Does a request without a home go before one that has one?"""
        if not self.line or not self.homed:
            return False
        return turn_of(self.line[0]) < turn_of(self.homed[-1])

    def next_unhomed(self) -> Ticket | None:
        """The first without a home, taken out."""
        while self.rest or self.line:
            ticket = self.line.pop(0) if self.line else self.rest.popleft()
            if ticket.status == WAITING:
                return ticket
        return None

    def join(self, ticket: Ticket) -> None:
        """Last, or where its order puts it."""
        if self.line is None and ticket.scope.tier.order == "fcfs":
            self.rest.append(ticket)
            return
        if not self.backlog:
            self.runs.clear()
        self._by_turns()
        self._insert(ticket)

    def put_back(self, ticket: Ticket) -> None:
        """First of those without a home, or where it was."""
        if self.line is None:
            self.rest.appendleft(ticket)
        else:
            self._insert(ticket)

    def remove(self, ticket: Ticket) -> None:
        """It waits elsewhere from now on."""
        rest = self.rest if self.line is None else self.line
        if ticket in rest:
            rest.remove(ticket)

    def reorder(self) -> None:
        """Turns have changed, by age or by another policy: everybody finds their place again."""
        waiting = [one for one in (*self.rest, *(self.line or ())) if one.status == WAITING]
        waiting.sort(key=order_of)
        self.rest = deque(waiting)
        self.line = None
        self.runs.clear()
        self.homed.sort(key=order_of)
        if any(one.scope.tier.order != "fcfs" for one in (*self.homed, *waiting)):
            self._by_turns()
            self.homed.sort(key=turn_of)

    def _by_turns(self) -> None:
        if self.line is None:
            for ticket in (*self.homed, *self.rest):
                self._give_turn(ticket)
            self.line = sorted(self.rest, key=turn_of)
            self.rest.clear()

    def _insert(self, ticket: Ticket) -> None:
        assert self.line is not None  # noqa: S101
        self._give_turn(ticket)
        insort(self.line, ticket, key=turn_of)

    def _give_turn(self, ticket: Ticket) -> None:
        run = ticket.request.run
        since = ticket.enqueued if run is None else self.runs.setdefault(run.name, ticket.enqueued)
        ticket.turn = turn(ticket, since)


def order_of(ticket: Ticket) -> int:
    return ticket.order


def turn_of(ticket: Ticket) -> Turn:
    assert ticket.turn is not None  # noqa: S101  all of a sorted leaf have one
    return ticket.turn
