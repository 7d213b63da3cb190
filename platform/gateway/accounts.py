"""What is put on record of each attempt, and when? Begun before it is sent, ended exactly once.

The data path calls these; each is one short write into the journal (``gateway.wal``), which loses none
to a kill. Sending what is on record is ``gateway.shipping``.
"""

from __future__ import annotations

from typing import Literal, Protocol

from coordination.scheduling import Dispatch
from coordination.scheduling.values import Charge, Usage
from coordination.wire.usage import CountedBy, Event, Kind, Outcome
from gateway.clock import PolicyClock
from gateway.explanations import Explanation
from gateway.wal import Begun, Journal

OnFull = Literal["serve", "refuse"]
"""What becomes of requests when an attempt cannot be put on record (the disk is full, say): they are
served, and kept in memory for sending; or refused."""
Ended = Literal["completed", "aborted", "failed"]


class Accounts(Protocol):
    """Where attempts are put on record."""

    def takes(self) -> bool:
        """Whether another request may be let in."""

    def begin(self, explanation: Explanation, dispatch: Dispatch, now: int) -> bool:
        """The attempt is about to be sent. ``False``: it must not be. Calling it again changes nothing."""

    def passed(self, dispatch: Dispatch, output: int) -> None:
        """Its first byte came (0), or this much output has passed."""

    def settled(
        self,
        explanation: Explanation,
        dispatch: Dispatch,
        charge: Charge,
        outcome: Ended,
        counted_by: CountedBy,
        now: int,
    ) -> None:
        """An attempt that was begun ended, and this is what it used."""

    def failed(
        self, explanation: Explanation, dispatch: Dispatch, sent: int, *, dropped: bool = False
    ) -> None:
        """An attempt that was begun, when it was ``sent``, ended before its first byte. ``dropped``: because
        another of the same request answered first."""

    def interrupted(self, explanation: Explanation, dispatch: Dispatch, charge: Charge) -> None:
        """An attempt that was begun ended with the process that served it; ``charge`` is a lower bound."""


class NoAccounts:
    """Nothing is put on record: this gateway has no folder of its own."""

    def takes(self) -> bool:
        return True

    def begin(self, explanation: Explanation, dispatch: Dispatch, now: int) -> bool:  # noqa: ARG002
        return True

    def passed(self, dispatch: Dispatch, output: int) -> None: ...

    def settled(
        self,
        explanation: Explanation,
        dispatch: Dispatch,
        charge: Charge,
        outcome: Ended,
        counted_by: CountedBy,
        now: int,
    ) -> None: ...

    def failed(
        self, explanation: Explanation, dispatch: Dispatch, sent: int, *, dropped: bool = False
    ) -> None: ...

    def interrupted(self, explanation: Explanation, dispatch: Dispatch, charge: Charge) -> None: ...


class JournalAccounts:
    """Everything is put into a journal."""

    def __init__(self, journal: Journal, clock: PolicyClock, on_full: OnFull) -> None:
        self._journal = journal
        self._clock = clock
        self._strict = on_full == "refuse"

    def takes(self) -> bool:
        return not self._strict or self._journal.has_room()

    def begin(self, explanation: Explanation, dispatch: Dispatch, now: int) -> bool:
        uncached, cached, _ = dispatch.decision.held
        recorded = self._journal.begin(
            Begun(  # by position, as everywhere on a request's way: by name it takes twenty times as long
                explanation.request_id,
                dispatch.attempt,
                explanation.tenant or "",
                explanation.key_id or "",
                dispatch.request.model,
                dispatch.decision.tier,
                dispatch.pool,
                dispatch.replica,
                uncached,
                cached,
                explanation.bundle,
                now,
            )
        )
        return recorded or not self._strict

    def passed(self, dispatch: Dispatch, output: int) -> None:
        self._journal.passed(dispatch.request.request_id, dispatch.attempt, output, self._clock.now())

    def settled(
        self,
        explanation: Explanation,
        dispatch: Dispatch,
        charge: Charge,
        outcome: Ended,
        counted_by: CountedBy,
        now: int,
    ) -> None:
        spend = charge.spend_nano if dispatch.ticket.plan.tariff is not None else None
        sent = explanation.sent
        self._end(
            explanation, dispatch, "settled", outcome, counted_by, charge.usage, charge, spend, sent, now
        )

    def failed(
        self, explanation: Explanation, dispatch: Dispatch, sent: int, *, dropped: bool = False
    ) -> None:
        self._end(
            explanation,
            dispatch,
            "failed",
            "aborted" if dropped else "failed",
            "gateway",
            Usage(0, 0, 0),
            None,
            None,
            sent,
            self._clock.now(),
        )

    def interrupted(self, explanation: Explanation, dispatch: Dispatch, charge: Charge) -> None:
        self._end(
            explanation,
            dispatch,
            "interrupted",
            "interrupted",
            "gateway",
            charge.usage,
            charge,
            None,
            explanation.sent,
            self._clock.now(),
        )

    def _end(
        self,
        explanation: Explanation,
        dispatch: Dispatch,
        kind: Kind,
        outcome: Outcome,
        counted_by: CountedBy,
        usage: Usage,
        charge: Charge | None,
        spend_nano: int | None,
        sent: int,
        now: int,
    ) -> None:
        decision = dispatch.decision
        by_lane = charge is not None and decision.reservation == "used"
        self._journal.end(
            Event(
                explanation.request_id,
                dispatch.attempt,
                kind,
                outcome,
                counted_by,
                explanation.tenant or "",
                explanation.key_id or "",
                dispatch.request.model,
                decision.tier,
                dispatch.pool,
                dispatch.replica,
                charge.reservation if charge is not None and by_lane else None,
                usage.uncached_input,
                usage.cached_input,
                usage.cache_write,
                usage.output,
                usage.reasoning,
                sent,
                now,
                explanation.bundle,
                spend_nano,
            )
        )
