"""What does a parent do for its workers' requests? It decides, puts on record, counts and explains.

To the rules each request of a worker is a waiter like any other: they are called exactly as by a gateway
of one process, on one event loop, so every limit, share and run holds across workers as it does within one.
What a worker leaves behind when it dies is ended here, at once: what it held is given back.
"""

from __future__ import annotations

from typing import Final, Protocol

from coordination.scheduling import Copy, Decision, Dispatch, Lost
from coordination.scheduling.attainment import Gaps
from coordination.scheduling.values import Charge, Request, Usage
from gateway.accounts import Accounts
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.errors import CODES, Problem
from gateway.exchange import UNRECORDED
from gateway.explanations import Explanation, Explanations
from gateway.log import innermost, log
from gateway.metrics import Metrics
from gateway.mirrors import Mirrors
from gateway.telling import Teller
from gateway.trials import tell_of
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
    Turned,
    Watched,
    told,
)

UnderWay = FirstByte | Progress | Failed | Watched | Hedge | Lose

BROKEN_OFF: Final = Problem("internal_error", "The worker process that served this request ended.")
FAULT: Final = Problem("internal_error", "The gateway failed to handle this request.")
NOTHING: Final = Usage(0, 0, 0)


class Speaker(Protocol):
    def send(self, message: Message) -> None: ...


class Client:
    """One worker, as the desk knows it."""

    __slots__ = ("copies", "errands", "policy", "speaker")

    def __init__(self, speaker: Speaker, policy: int) -> None:
        self.speaker = speaker
        self.policy = policy
        """Number of the policy that its requests are classified under."""
        self.errands: dict[str, Errand] = {}
        self.copies: dict[int, Copy] = {}
        """Of its requests, under way at a route's mirrors; they may outlive the requests."""


class Errand:
    """One request of a worker, from its asking to its end. A ``Waiter``."""

    __slots__ = (
        "_client",
        "_desk",
        "decided",
        "dispatch",
        "explanation",
        "output",
        "prefilled",
        "recorded",
        "request",
        "second",
        "second_recorded",
    )

    def __init__(self, desk: Desk, client: Client, request: Request, explanation: Explanation) -> None:
        self._desk = desk
        self._client = client
        self.request = request
        self.explanation = explanation
        self.dispatch: Dispatch | None = None
        """Of the attempt under way."""
        self.recorded = False
        """That attempt is on record, and has to be ended there."""
        self.second: Dispatch | None = None
        """Of another attempt beside it, until one of both is over."""
        self.second_recorded = False
        self.prefilled = False
        self.output = 0
        """Tokens that are known to have passed in that attempt."""
        self.decided = False
        """The rules know it: it waits there, or is under way."""

    def placed(self, dispatch: Dispatch) -> None:
        desk, explanation = self._desk, self.explanation
        self.dispatch = dispatch
        self.prefilled = False
        self.output = 0
        now = explanation.placed = explanation.sent = dispatch.sent_at
        explanation.dispatches.append(dispatch)
        # Before the worker knows where to send it, so that no replica works for nobody's account.
        self.recorded = desk.accounts.begin(explanation, dispatch, now)
        copies = desk.copies_of(self._client, dispatch)
        self._client.speaker.send(self._told(dispatch, self.recorded, copies))

    def hedged(self, dispatch: Dispatch) -> None:
        """A second attempt is made beside the one under way."""
        self.second = dispatch
        self.explanation.dispatches.insert(-1, dispatch)
        self.second_recorded = self._desk.accounts.begin(self.explanation, dispatch, dispatch.sent_at)
        self._client.speaker.send(Hedged(self._told(dispatch, self.second_recorded, [])))

    def alone(self, loser: Dispatch, reason: Lost) -> None:
        """Of its two attempts ``loser`` is over."""
        desk, explanation, second = self._desk, self.explanation, self.second
        recorded = self.second_recorded
        if loser is self.dispatch and second is not None:
            self.dispatch, recorded, self.recorded = second, self.recorded, recorded
            explanation.sent = second.sent_at
            explanation.dispatches.remove(second)
            explanation.dispatches.append(second)
        self.second = None
        if recorded:
            dropped = reason in ("dropped", "unsent")
            desk.accounts.failed(explanation, loser, loser.sent_at, dropped=dropped)
        desk.coordinator.lose(loser, reason)

    def _told(self, dispatch: Dispatch, recorded: bool, copies: list[Sent]) -> Placed:
        desk, decision, now = self._desk, dispatch.decision, dispatch.sent_at
        return Placed(
            self.request.request_id,
            dispatch.pool,
            dispatch.replica,
            dispatch.attempt,
            dispatch.queue_us,
            now,
            decision.route,
            decision.tier,
            decision.reservation,
            decision.held,
            recorded,
            told(desk.coordinator.headroom(decision, now)),
            desk.run_left(decision, now),
            copies,
        )

    def refused(self, decision: Decision) -> None:
        desk = self._desk
        self.dispatch = None
        self.decided = False
        self.explanation.decision = decision
        now = desk.clock.now()
        self._client.speaker.send(
            Turned(
                self.request.request_id,
                decision.code or "internal_error",
                decision.message,
                decision.retry_after_us,
                decision.tier,
                decision.reservation,
                told(desk.coordinator.headroom(decision, now)),
                desk.run_left(decision, now),
            )
        )


class Desk:
    """Where the workers' messages are answered. It knows no socket and no process."""

    def __init__(
        self,
        coordinator: Coordinator,
        clock: PolicyClock,
        accounts: Accounts,
        metrics: Metrics,
        explanations: Explanations,
        teller: Teller,
        mirrors: Mirrors,
    ) -> None:
        self.coordinator = coordinator
        self.clock = clock
        self.accounts = accounts
        self._metrics = metrics
        self._explanations = explanations
        self._teller = teller
        self._mirrors = mirrors
        self._copied = 0
        """Copies numbered so far."""
        self.policy = 1
        """Number of the policy in force; each activation of another counts one up."""
        self._early: list[tuple[Client, Errand]] = []
        """Classified under a policy that is not in force yet."""

    def hear(self, client: Client, message: FromWorker) -> None:
        """Do what a worker asks. What is about a request that is over is dropped."""
        if isinstance(message, Ask):
            self._ask(client, message)
        elif isinstance(message, Over):
            self._over(client, message)
        elif isinstance(message, Note):
            self._note(message)
        elif isinstance(message, CopyBegan | CopyOver):
            self._copy(client, message)
        elif isinstance(message, FirstByte | Progress | Failed | Watched | Hedge | Lose):
            errand = client.errands.get(message.request_id)
            if errand is not None and errand.dispatch is not None:
                self._under_way(errand, errand.dispatch, message)

    def lost(self, client: Client) -> None:
        """The worker is gone: end what it served, and give back what that held."""
        errands, client.errands = client.errands, {}
        copies, client.copies = client.copies, {}
        for copy in copies.values():
            self.coordinator.copied(copy, "reset")
        for errand in errands.values():
            if errand.dispatch is None:
                self._forget(errand)
            elif errand.second is not None:
                errand.alone(errand.second, "dropped")
        for errand in errands.values():  # what waited first: room that these make is not for it
            dispatch, explanation = errand.dispatch, errand.explanation
            now = self.clock.now()
            if dispatch is not None:
                uncached, cached, _ = dispatch.decision.held
                usage = Usage(uncached, cached, errand.output) if errand.prefilled else NOTHING
                charge = self._settle(errand, dispatch, usage, now)
                if errand.recorded:
                    self.accounts.interrupted(explanation, dispatch, charge)
            explanation.problem = BROKEN_OFF
            explanation.outcome, explanation.status = "aborted", BROKEN_OFF.status
            explanation.finished = now
            self._metrics.finished(explanation, self.coordinator.program)
            self._teller.note(explanation)

    def activated(self, policy: int) -> None:
        """Policy number ``policy`` is in force: decide what was classified under it and had to wait."""
        self.policy = policy
        early, self._early = self._early, []
        for client, errand in early:
            if client.errands.get(errand.request.request_id) is errand:
                self._admit(client, errand)

    def disbelieved(self, answers: int) -> None:
        """Workers had so many more answers whose usage cannot be."""
        self._metrics.usage_disbelieved += answers

    def run_left(self, decision: Decision, now: int) -> tuple[int | None, int | None]:
        if decision.request.task is None:
            return None, None
        return self.coordinator.run_left(decision, now)

    # -- inside --------------------------------------------------------------------------------

    def _ask(self, client: Client, ask: Ask) -> None:
        request = ask.wanted.request()
        explanation = _explained(request.request_id, request.arrived, ask.asker)
        errand = Errand(self, client, request, explanation)
        client.errands[request.request_id] = errand
        self._explanations.add(explanation)
        if client.policy == self.policy:
            self._admit(client, errand)
        else:
            self._early.append((client, errand))

    def _admit(self, client: Client, errand: Errand) -> None:
        try:
            self._decide(client, errand)
        except Exception as error:  # noqa: BLE001 - the last line of defence: one request, not the process
            request_id = errand.request.request_id
            log(
                "internal_error",
                request_id=request_id,
                error=type(error).__name__,
                at_line=innermost(error),
            )
            client.speaker.send(_unasked(errand.request, FAULT))

    def _decide(self, client: Client, errand: Errand) -> None:
        request, explanation, coordinator = errand.request, errand.explanation, self.coordinator
        if not self.accounts.takes():
            client.speaker.send(_unasked(request, UNRECORDED))
            return
        decision = coordinator.admit(errand, request, self.clock.now())
        explanation.decision = decision
        decided = explanation.decided = self.clock.now()
        if decision.verdict == "refuse":
            errand.refused(decision)
            return
        errand.decided = True
        coordinator.pump(decision.pool or "", decided)

    def _under_way(self, errand: Errand, dispatch: Dispatch, message: UnderWay) -> None:
        coordinator, second = self.coordinator, errand.second
        if isinstance(message, FirstByte):
            if second is not None and message.attempt == dispatch.attempt:
                errand.alone(second, "unsent")  # the worker had not heard of it
            if message.attempt == dispatch.attempt:
                errand.prefilled = True
                errand.explanation.first_byte = self.clock.now()
                self.accounts.passed(dispatch, 0)
                coordinator.first_byte(dispatch)
        elif isinstance(message, Progress):
            errand.output = message.output_tokens
            coordinator.progress(dispatch, message.output_tokens)
            self.accounts.passed(dispatch, message.output_tokens)
        elif isinstance(message, Watched):
            coordinator.watch(dispatch)
        elif isinstance(message, Hedge):
            made = coordinator.hedge(dispatch) if message.attempt == dispatch.attempt else None
            if made is not None:
                errand.hedged(made)
        elif isinstance(message, Lose):
            for one in (dispatch, second):
                if second is not None and one is not None and one.attempt == message.attempt:
                    errand.alone(one, message.reason)
        elif second is not None:
            errand.alone(dispatch, message.reason)  # the second one, which it hears of now, is its only one
        else:
            if errand.recorded:
                self.accounts.failed(errand.explanation, dispatch, dispatch.sent_at)
            errand.dispatch = None
            decision = coordinator.fail(errand, dispatch, message.reason)
            if decision is not None:
                errand.refused(decision)

    def copies_of(self, client: Client, dispatch: Dispatch) -> list[Sent]:
        """The copies to send of a request that goes out for the first time."""
        if dispatch.attempt != 1 or not dispatch.ticket.route.mirrors:
            return []
        told = []
        for copy in self.coordinator.mirror(dispatch):
            self._copied += 1
            client.copies[self._copied] = copy
            told.append(Sent(self._copied, copy.route, copy.pool, copy.replica))
        return told

    def _copy(self, client: Client, message: CopyBegan | CopyOver) -> None:
        if isinstance(message, CopyOver):
            copy = client.copies.pop(message.number, None)
            if copy is not None:
                self.coordinator.copied(copy, message.ended)
        elif message.number in client.copies:
            copy = client.copies[message.number]
            self._mirrors.took(copy, message.took)
            self.coordinator.copy_began(copy, message.took)

    def _over(self, client: Client, over: Over) -> None:
        errand = client.errands.pop(over.request_id, None)
        if errand is None:
            return
        explanation, spent = errand.explanation, over.spent
        if errand.dispatch is not None and errand.second is not None:
            ended = errand.dispatch.attempt if spent is None else spent.attempt
            other = errand.second if ended == errand.dispatch.attempt else errand.dispatch
            errand.alone(other, "unsent")  # it was made as the request ended
        dispatch = errand.dispatch
        if dispatch is None:
            self._forget(errand)
        elif spent is None:
            # Its client left as it was given a replica, which the worker had not heard of yet.
            self._settle(errand, dispatch, NOTHING, self.clock.now())
            if errand.recorded:
                self.accounts.failed(explanation, dispatch, dispatch.sent_at)
        else:
            usage = Usage(
                spent.uncached_input, spent.cached_input, spent.output, spent.cache_write, spent.reasoning
            )
            now = self.clock.now()
            charge = explanation.charge = self.coordinator.settle(dispatch, usage, spent.outcome, now)
            if errand.recorded and over.sent:
                self.accounts.settled(explanation, dispatch, charge, spent.ended, spent.counted_by, now)
            elif errand.recorded:
                self.accounts.failed(explanation, dispatch, dispatch.sent_at)
        explanation.sent, explanation.first_byte = over.sent, over.first_byte
        if over.gaps is not None:
            explanation.gaps = gaps = Gaps(())
            gaps.total, gaps.within = over.gaps
        self._finished(explanation, over)
        dispatches = explanation.dispatches
        if dispatches and dispatches[-1].ticket.route.trials:
            tell_of(explanation, self.coordinator)

    def _settle(self, errand: Errand, dispatch: Dispatch, usage: Usage, now: int) -> Charge:
        errand.dispatch = None
        charge = errand.explanation.charge = self.coordinator.settle(dispatch, usage, "aborted", now)
        return charge

    def _forget(self, errand: Errand) -> None:
        """No attempt of it is under way: if it waits for one, it does no longer."""
        if errand.decided and errand.explanation.decision is not None:
            self.coordinator.cancel(errand.request.request_id, errand.explanation.decision.pool or "")

    def _note(self, note: Note) -> None:
        explanation = _explained(note.request_id, note.arrived, note.asker)
        self._explanations.add(explanation)
        self._finished(explanation, note)

    def _finished(self, explanation: Explanation, over: Over | Note) -> None:
        if over.code is not None:
            explanation.problem = Problem(over.code if over.code in CODES else "internal_error", over.message)
        explanation.outcome, explanation.status, explanation.finished = (
            over.outcome,
            over.status,
            over.finished,
        )
        if over.outcome == "refused" and explanation.decision is not None:
            self._explanations.keep(explanation)
        self._metrics.finished(explanation, self.coordinator.program)
        self._teller.note(explanation)


def _unasked(request: Request, problem: Problem) -> Turned:
    """Turned down without the rules having had a say."""
    said = problem.code, problem.message, problem.retry_after_us
    return Turned(request.request_id, *said, request.tier, "none", None, (None, None))


def _explained(request_id: str, arrived: int, asker: Asker) -> Explanation:
    return Explanation(
        request_id,
        arrived,
        asker.client_request_id,
        asker.tenant,
        asker.key_id,
        asker.model,
        asker.tier_requested,
        asker.operation,
        asker.stream,
        asker.bundle,
    )
