"""How does a worker ask its parent? As its own coordinator would be asked, but that the answer comes later.

Everything a data plane calls on its way with a request is here: the rules (``Rules``), the accounts
(``Accounts``) and the counters (``Metrics``). Most of it is one message or nothing, since the parent puts on
record what it decides. How a request ended is told in one message, which is handed to the kernel before the
client gets the last byte: a worker that is killed then has told it.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

from coordination import scheduling
from coordination.program.index import Program
from coordination.scheduling import Classified, Copy, Decision, Dispatch, Headroom, Lost, Refusal
from coordination.scheduling.prefix_index import BLOCK_BYTES
from coordination.scheduling.values import Charge, LimitView, Request, Usage
from coordination.wire.usage import CountedBy
from gateway.accounts import Ended
from gateway.activation import Active
from gateway.explanations import Explanation
from gateway.metrics import Metrics
from gateway.rules import FailReason, Outcome, Waiter
from gateway.workers.messages import (
    Ask,
    Asker,
    CopyBegan,
    CopyOver,
    Failed,
    FirstByte,
    FromWorker,
    Hedge,
    Hedged,
    Lose,
    Message,
    Note,
    Over,
    Placed,
    Progress,
    Sent,
    Spent,
    Turned,
    Wanted,
    Watched,
    heard,
)


class _RemoteCopy(Copy):
    """What it takes up is the parent's to know, and never set here."""

    __slots__ = ("number",)

    def __init__(self, sent: Sent) -> None:
        self.route = sent.route
        self.pool = sent.pool
        self.replica = sent.replica
        self.number = sent.number


NO_ROOM: Final = Headroom(None, None)


class Speaker(Protocol):
    """What takes a worker's messages to its parent."""

    def send(self, message: Message) -> None: ...

    def flush(self) -> None:
        """What was sent has left this process."""


class Asked:
    """One request that the parent was asked about, until it is over."""

    __slots__ = (
        "at",
        "attempt",
        "barred",
        "copies",
        "ended",
        "outcome",
        "request",
        "room",
        "run_left",
        "usage",
        "waiter",
        "waits",
    )

    def __init__(self, waiter: Waiter, request: Request) -> None:
        self.waiter = waiter
        self.request = request
        self.waits = True
        """It has no attempt under way, and is to hear of one."""
        self.barred: tuple[int, ...] = ()
        """Attempts that could not be put on record."""
        self.copies: list[Sent] = []
        self.room = NO_ROOM
        """What the limits left when it was placed or turned down, which was at ``at``."""
        self.at = 0
        self.run_left: tuple[int | None, int | None] = (None, None)
        self.usage: Usage | None = None
        """Of the attempt that has ended, as the engine or this worker counted it."""
        self.attempt = 0
        """That one's number."""
        self.outcome: Outcome = "aborted"
        self.ended: tuple[Ended, CountedBy] = ("failed", "gateway")


class Remote:
    """The parent, as a worker's data plane sees it: ``Rules`` and ``Accounts``."""

    def __init__(self, active: Active, salt: int, speaker: Speaker) -> None:
        """``salt``: the parent's own part of block hashes, so that all workers know a prefix as the same."""
        self.active = active
        self._salt = salt
        self._salts: dict[tuple[str, str, str], int] = {}
        self._speaker = speaker
        self._asked: dict[str, Asked] = {}
        self.used: set[str] = set()
        """Replicas that requests were sent to since somebody emptied this."""
        self._last: Asked | None = None
        """The request that was over last."""

    @property
    def program(self) -> Program:
        return self.active.program

    def activate(self, active: Active) -> None:
        """Classify by another policy from the next request on."""
        self.active = active
        self._salts = {}

    # -- what the parent says ------------------------------------------------------------------

    def hear(self, message: Placed | Hedged | Turned) -> None:
        """Go on with a request. One that is over by now has been told of."""
        second = isinstance(message, Hedged)
        if isinstance(message, Hedged):
            message = message.placed
        asked = self._asked.get(message.request_id)
        if asked is None:
            return
        asked.run_left = message.run_left
        if isinstance(message, Placed):
            asked.room, asked.at = heard(message.room), message.sent_at
            if not message.recorded:
                asked.barred += (message.attempt,)
            self.used.add(message.replica)
            dispatch = self._dispatch(asked.request, message)
            if second and not asked.waits:
                asked.waiter.hedged(dispatch)
                return
            asked.waits = False
            asked.usage = None
            asked.copies = message.copies
            asked.waiter.placed(dispatch)
        else:
            asked.room = NO_ROOM if message.room is None else heard(message.room)
            asked.waiter.refused(_turned(asked.request, message))

    # -- Rules ---------------------------------------------------------------------------------

    def classify(self, tenant: str, service_tier: str | None, model: str) -> Classified | Refusal:
        return scheduling.classify(self.active.program, tenant, service_tier, model)

    def blocks(self, classified: Classified, tenant: str, text: bytes) -> list[int]:
        if len(text) < BLOCK_BYTES:
            return []
        key = (classified.adapter or classified.model, classified.tier, tenant)
        salt = self._salts.get(key)
        if salt is None:
            salt = self._salts[key] = scheduling.salt(self.active.program, classified, tenant, self._salt)
        return scheduling.block_hashes(text, salt)

    def admit(self, waiter: Waiter, request: Request, now: int) -> Decision:  # noqa: ARG002 - Rules
        """Ask. The answer is always ``queue``: the waiter is called when the parent has decided."""
        self._asked[request.request_id] = Asked(waiter, request)
        self._speaker.send(Ask(_asker(waiter.explanation), Wanted.of(request)))
        return _decision(request, "", request.tier)

    def pump(self, pool: str, now: int = 0) -> None: ...

    def first_byte(self, dispatch: Dispatch) -> None:
        self._speaker.send(FirstByte(dispatch.request.request_id, dispatch.attempt))

    def progress(self, dispatch: Dispatch, output_tokens: int) -> None:
        self._speaker.send(Progress(dispatch.request.request_id, output_tokens))

    def settle(self, dispatch: Dispatch, usage: Usage, outcome: Outcome, now: int) -> Charge:  # noqa: ARG002
        """Told with the end of the request. What it is charged is the parent's to know."""
        request_id = dispatch.request.request_id
        asked = self._asked.get(request_id)
        if asked is not None:
            asked.usage, asked.outcome, asked.attempt = usage, outcome, dispatch.attempt
        return Charge(request_id, dispatch.attempt, usage, 0, None, 0, dispatch.decision.tier, 0)

    def fail(self, waiter: Waiter, dispatch: Dispatch, reason: FailReason) -> None:  # noqa: ARG002
        """The parent says where it is tried next, or that it is not."""
        asked = self._asked.get(dispatch.request.request_id)
        if asked is not None:
            asked.waits = True
        self._speaker.send(Failed(dispatch.request.request_id, reason))

    def watch(self, dispatch: Dispatch) -> int | None:
        route = self.active.program.routes.get(dispatch.decision.route or "")
        hedging = None if route is None else route.record.hedging
        if hedging is None:
            return None
        self._speaker.send(Watched(dispatch.request.request_id))
        return hedging.after

    def hedge(self, dispatch: Dispatch) -> None:
        """The waiter hears of a second attempt, if there may be one."""
        self._speaker.send(Hedge(dispatch.request.request_id, dispatch.attempt))

    def lose(self, dispatch: Dispatch, reason: Lost) -> None:
        self._speaker.send(Lose(dispatch.request.request_id, dispatch.attempt, reason))

    def mirror(self, dispatch: Dispatch) -> list[Copy]:
        """What the parent decided as it placed the request."""
        asked = self._asked.get(dispatch.request.request_id)
        if asked is None:
            return []
        copies, asked.copies = asked.copies, []
        return [_RemoteCopy(sent) for sent in copies]

    def copy_began(self, copy: Copy, took: int) -> None:
        if isinstance(copy, _RemoteCopy):
            self._speaker.send(CopyBegan(copy.number, took))

    def copied(self, copy: Copy, ended: scheduling.Ended) -> None:
        if isinstance(copy, _RemoteCopy):
            self._speaker.send(CopyOver(copy.number, ended))

    def fared(self, decision: Decision, failed: bool, streamed: bool, took: int) -> None:
        """The parent sees for itself."""

    def cancel(self, request_id: str, pool: str) -> None:
        """That the request is over, which is told next, says it all."""

    def headroom(self, decision: Decision, now: int) -> Headroom:
        """As it was when the request was placed or turned down, and that much nearer to the reset."""
        asked = self._of(decision)
        if asked is None:
            return NO_ROOM
        room, age = asked.room, now - asked.at if asked.at else 0
        return Headroom(_aged(room.requests, age), _aged(room.tokens, age))

    def run_left(self, decision: Decision, now: int) -> tuple[int | None, int | None]:  # noqa: ARG002
        asked = self._of(decision)
        return (None, None) if asked is None else asked.run_left

    def _of(self, decision: Decision) -> Asked | None:
        """An error is put into words just after the request was over."""
        asked, last = self._asked.get(decision.request.request_id), self._last
        return last if asked is None and last is not None and last.request is decision.request else asked

    # -- Accounts ------------------------------------------------------------------------------

    def takes(self) -> bool:
        """The parent turns down what it cannot put on record."""
        return True

    def begin(self, explanation: Explanation, dispatch: Dispatch, now: int) -> bool:  # noqa: ARG002
        """The parent put it on record as it placed it, if it could."""
        asked = self._asked.get(explanation.request_id)
        return asked is not None and dispatch.attempt not in asked.barred

    def passed(self, dispatch: Dispatch, output: int) -> None: ...

    def settled(
        self,
        explanation: Explanation,
        dispatch: Dispatch,  # noqa: ARG002
        charge: Charge,  # noqa: ARG002
        outcome: Ended,
        counted_by: CountedBy,
        now: int,  # noqa: ARG002
    ) -> None:
        asked = self._asked.get(explanation.request_id)
        if asked is not None:
            asked.ended = (outcome, counted_by)

    def failed(
        self, explanation: Explanation, dispatch: Dispatch, sent: int, *, dropped: bool = False
    ) -> None: ...

    def interrupted(self, explanation: Explanation, dispatch: Dispatch, charge: Charge) -> None: ...

    def _dispatch(self, request: Request, placed: Placed) -> Dispatch:
        decision = _decision(request, placed.pool, placed.tier)
        decision.route, decision.reservation, decision.held = placed.route, placed.reservation, placed.held
        return Dispatch(
            decision,
            request,
            placed.pool,
            placed.replica,
            placed.attempt,
            placed.queue_us,
            placed.sent_at,
            (),
            None,  # tickets stay with the rules
        )

    # -- the end -------------------------------------------------------------------------------

    def over(self, explanation: Explanation) -> None:
        """The request is about to be answered, or its client has left: by then it is told."""
        problem = explanation.problem
        code, said = (None, "") if problem is None else (problem.code, problem.message)
        asked = self._last = self._asked.pop(explanation.request_id, None)
        message: FromWorker
        if asked is None:
            message = Note(
                explanation.request_id,
                _asker(explanation),
                explanation.arrived,
                explanation.outcome,
                explanation.status,
                code,
                said,
                explanation.finished,
            )
        else:
            message = Over(
                explanation.request_id,
                explanation.outcome,
                explanation.status,
                code,
                said,
                explanation.sent,
                explanation.first_byte,
                explanation.finished,
                _spent(asked),
                None if explanation.gaps is None else (explanation.gaps.total, explanation.gaps.within),
            )
        self._speaker.send(message)
        self._speaker.flush()


class RemoteMetrics(Metrics):
    """Counts nothing but what passes in streams: the parent counts."""

    def __init__(self, remote: Remote) -> None:
        super().__init__()
        self._remote = remote

    def finished(self, explanation: Explanation, program: Program) -> None:  # noqa: ARG002
        self._remote.over(explanation)


def _asker(explanation: Explanation) -> Asker:
    return Asker(
        explanation.client_request_id,
        explanation.tenant,
        explanation.key_id,
        explanation.model,
        explanation.tier_requested,
        explanation.operation,
        explanation.stream,
        explanation.bundle,
    )


def _spent(asked: Asked) -> Spent | None:
    usage = asked.usage
    if usage is None:
        return None
    return Spent(
        asked.attempt,
        asked.outcome,
        *asked.ended,
        usage.uncached_input,
        usage.cached_input,
        usage.output,
        usage.cache_write,
        usage.reasoning,
    )


def _decision(request: Request, pool: str, tier: str) -> Decision:
    """Of a request that waits, as far as a worker knows."""
    decision = Decision(request, [])
    decision.verdict, decision.pool, decision.tier = "queue", pool, tier
    return decision


def _turned(request: Request, turned: Turned) -> Decision:
    decision = _decision(request, "", turned.tier)
    decision.verdict, decision.reservation = "refuse", turned.reservation
    decision.code = cast(scheduling.Code, turned.code)
    decision.message, decision.retry_after_us = turned.message, turned.retry_after_us
    return decision


def _aged(view: LimitView | None, age: int) -> LimitView | None:
    if view is None or age <= 0:
        return view
    return LimitView(view.limit, view.remaining, max(0, view.reset_us - age), view.window_us)
