"""What does a data plane ask of the rules, wherever their state is kept?

In one process the state is at hand (``gateway.coordinator``) and every answer is there when the call
returns. Where several share one state, as workers of a gateway do, an admission may be answered ``queue`` at
once and decided later: the waiter hears of its place, or of its refusal, as one that waited does.
"""

from __future__ import annotations

from typing import Literal, Protocol

from coordination.program.index import Program
from coordination.scheduling import Classified, Copy, Decision, Dispatch, Ended, Headroom, Lost, Refusal
from coordination.scheduling.values import Charge, Request, Usage
from gateway.activation import Active
from gateway.explanations import Explanation

FailReason = Literal["connect", "status_503", "timeout", "reset"]
Outcome = Literal["completed", "aborted"]


class Waiter(Protocol):
    """A request that was let in. Exactly one of both is called, once per admission or retry."""

    @property
    def explanation(self) -> Explanation:
        """What is known of it so far."""

    def placed(self, dispatch: Dispatch) -> None: ...
    def hedged(self, dispatch: Dispatch) -> None:
        """A second attempt that was asked for (``Rules.hedge``), where the answer comes later."""

    def refused(self, decision: Decision) -> None: ...


class Rules(Protocol):
    """One request's life, as far as the rules have a say in it."""

    @property
    def active(self) -> Active: ...

    @property
    def program(self) -> Program: ...

    def classify(self, tenant: str, service_tier: str | None, model: str) -> Classified | Refusal: ...

    def blocks(self, classified: Classified, tenant: str, text: bytes) -> list[int]:
        """Chained hashes of the prompt's blocks, under the salt of who may share them."""

    def admit(self, waiter: Waiter, request: Request, now: int) -> Decision:
        """Unless refused, the waiter hears of its place after ``pump`` of the pool decided."""

    def pump(self, pool: str, now: int = 0) -> None:
        """Send on their way all that may go."""

    def first_byte(self, dispatch: Dispatch) -> None: ...

    def progress(self, dispatch: Dispatch, output_tokens: int) -> None: ...

    def settle(self, dispatch: Dispatch, usage: Usage, outcome: Outcome, now: int) -> Charge: ...

    def fail(self, waiter: Waiter, dispatch: Dispatch, reason: FailReason) -> Decision | None:
        """An attempt failed before its first byte. ``None``: it waits to hear of another."""

    def watch(self, dispatch: Dispatch) -> int | None:
        """For how many microseconds its first byte may be waited for before ``hedge`` is asked."""

    def hedge(self, dispatch: Dispatch) -> Dispatch | None:
        """A second attempt beside a slow one, if the rules allow one."""

    def lose(self, dispatch: Dispatch, reason: Lost) -> None:
        """Of two attempts this one is over; the other goes on."""

    def mirror(self, dispatch: Dispatch) -> list[Copy]:
        """The copies to send of a request that was just dispatched."""

    def copy_began(self, copy: Copy, took: int) -> None:
        """Its first byte came, after so many microseconds."""

    def copied(self, copy: Copy, ended: Ended) -> None:
        """A copy is over."""

    def fared(self, decision: Decision, failed: bool, streamed: bool, took: int) -> None:
        """A request of a route with canaries ended."""

    def cancel(self, request_id: str, pool: str) -> None:
        """Its client left while it waited."""

    def headroom(self, decision: Decision, now: int) -> Headroom: ...

    def run_left(self, decision: Decision, now: int) -> tuple[int | None, int | None]:
        """Tokens and steps its run and session may still use."""
