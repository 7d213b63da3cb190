"""A fleet in virtual time, driven through the public API of scheduling: nothing sleeps.

Each replica prefills one request after the other at the pool's stated rate, then decodes all of them in
parallel. What it serves is taken from the request: it is the truth that the estimates are settled against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from coordination.program.index import Program
from coordination.scheduling import (
    Charge,
    Decision,
    Dispatch,
    Request,
    State,
    Usage,
    admit,
    cancel,
    dispatch,
    expire,
    first_byte,
    new_state,
    next_expiry,
    settle,
)
from tests.support.programs import START


@dataclass
class Served:
    """One request's way through the fleet."""

    decision: Decision
    arrived: int
    dispatched: int | None = None
    first_byte: int | None = None
    finished: int | None = None
    replica: str | None = None
    charge: Charge | None = None
    refused: int | None = None

    @property
    def ttft(self) -> int:
        assert self.first_byte is not None
        return self.first_byte - self.arrived


@dataclass
class VirtualFleet:
    """Events in time order; ties in the order they were made."""

    program: Program
    seed: int = 1
    output_of: Callable[[Request], int] = lambda request: 64
    token_us: int = 5_000
    now: int = START
    state: State = field(init=False)
    served: dict[str, Served] = field(default_factory=dict)
    sent: list[Dispatch] = field(default_factory=list)
    watch: Callable[[VirtualFleet], None] | None = None
    _events: list[tuple[int, int, str, Any]] = field(default_factory=list)
    _free: dict[str, int] = field(default_factory=dict)
    _order: int = 0
    _made: int = 0

    def __post_init__(self) -> None:
        self.state = new_state(self.program, route_salt="salt", seed=self.seed, now=self.now)

    def request(self, tenant: str = "acme", *, at: int = 0, prompt: int = 1000, **more: Any) -> Request:
        """Schedule one request ``at`` microseconds after the start."""
        self._made += 1
        request_id = more.pop("request_id", f"req{self._made}")
        asked = Request(
            request_id=request_id,
            tenant=tenant,
            model=more.pop("model", "m"),
            tier=more.pop("tier", "standard"),
            scale=more.pop("scale", False),
            prompt_tokens=prompt,
            max_tokens=more.pop("max_tokens", None),
            blocks=more.pop("blocks", ()),
            arrived=START + at,
            stickiness=more.pop("stickiness", request_id),
            deadline=more.pop("deadline", None),
            size=more.pop("size", 0),
            run=more.pop("run", None),
            task=more.pop("task", None),
            adapter=more.pop("adapter", ""),
        )
        assert not more, more
        self._at(START + at, "arrive", asked)
        return asked

    def run(self, until: int | None = None) -> VirtualFleet:
        """Up to ``until`` microseconds after the start, or until nothing is left to happen."""
        while True:
            timer = next_expiry(self.state)
            head = self._events[0][0] if self._events else None
            if timer is not None and (head is None or timer < head):
                at, event = max(self.now, timer), None
            elif head is not None:
                at, event = head, self._events[0]
            else:
                return self
            if until is not None and at > START + until:
                self.now = START + until
                return self
            self.now = max(self.now, at)
            if event is None:
                self._expire()
            else:
                heappop(self._events)
                getattr(self, f"_{event[2]}")(event[3])
            if self.watch is not None:
                self.watch(self)

    def dispatch_all(self) -> None:
        for pool in list(self.state.pools):
            for sent in dispatch(self.program, self.state, pool, self.now):
                self._send(sent)

    def leave(self, request_id: str) -> bool:
        return cancel(self.program, self.state, request_id, self.now)

    def _at(self, when: int, kind: str, what: Any) -> None:
        self._order += 1
        heappush(self._events, (when, self._order, kind, what))

    def _arrive(self, request: Request) -> None:
        decision = admit(self.program, self.state, request, self.now)
        entry = self.served[request.request_id] = Served(decision, self.now)
        if decision.verdict == "refuse":
            entry.refused = self.now
        else:
            self.dispatch_all()

    def _send(self, sent: Dispatch) -> None:
        entry = self.served[sent.request.request_id]
        entry.dispatched, entry.replica = self.now, sent.replica
        self.sent.append(sent)
        pool = self.program.pools[sent.pool]
        done = max(self.now, self._free.get(sent.replica, 0))
        done += sent.ticket.uncached * pool.prefill_ns_per_token // 1000
        self._free[sent.replica] = done
        self._at(done, "prefilled", sent)

    def _prefilled(self, sent: Dispatch) -> None:
        self.served[sent.request.request_id].first_byte = self.now
        first_byte(self.program, self.state, sent, self.now)
        self._at(self.now + self.output_of(sent.request) * self.token_us, "finished", sent)
        self.dispatch_all()

    def _finished(self, sent: Dispatch) -> None:
        entry = self.served[sent.request.request_id]
        entry.finished = self.now
        usage = Usage(sent.ticket.uncached, sent.ticket.cached, self.output_of(sent.request))
        entry.charge = settle(self.program, self.state, sent, usage, "completed", self.now)
        self.dispatch_all()

    def _expire(self) -> None:
        for decision in expire(self.program, self.state, self.now):
            self.served[decision.request.request_id].refused = self.now
        self.dispatch_all()
