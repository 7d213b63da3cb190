"""What does a parent do for its workers' requests? It decides, puts on record, counts and explains.

To the rules each request of a worker is a waiter like any other: they are called exactly as by a gateway
of one process, on one event loop, so every limit, share and run holds across workers as it does within one.
What a worker leaves behind when it dies is ended here, at once: what it held is given back.
"""

from __future__ import annotations

from typing import Final, Protocol

from coordination.scheduling import Decision, Dispatch
from coordination.scheduling.values import Charge, Request, Usage
from gateway.accounts import Accounts
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.errors import CODES, Problem
from gateway.exchange import UNRECORDED
from gateway.explanations import Explanation, Explanations
from gateway.log import innermost, log
from gateway.metrics import Metrics
from gateway.telling import Teller
from gateway.trials import tell_of
from gateway.workers.messages import (
    Ask,
    Asker,
    Failed,
    FirstByte,
    FromWorker,
    Message,
    Note,
    Over,
    Placed,
    Progress,
    Turned,
)

BROKEN_OFF: Final = Problem("internal_error", "The worker process that served this request ended.")
FAULT: Final = Problem("internal_error", "The gateway failed to handle this request.")
NOTHING: Final = Usage(0, 0, 0)


class Speaker(Protocol):
    def send(self, message: Message) -> None: ...


class Client:
    """One worker, as the desk knows it."""

    __slots__ = ("errands", "policy", "speaker")

    def __init__(self, speaker: Speaker, policy: int) -> None:
        self.speaker = speaker
        self.policy = policy
        """Number of the policy that its requests are classified under."""
        self.errands: dict[str, Errand] = {}


class Errand:
    """One request of a worker, from its asking to its end. A ``Waiter``."""

    __slots__ = (
        "_desk",
        "_speaker",
        "decided",
        "dispatch",
        "explanation",
        "output",
        "prefilled",
        "recorded",
        "request",
    )

    def __init__(self, desk: Desk, speaker: Speaker, request: Request, explanation: Explanation) -> None:
        self._desk = desk
        self._speaker = speaker
        self.request = request
        self.explanation = explanation
        self.dispatch: Dispatch | None = None
        """Of the attempt under way."""
        self.recorded = False
        """That attempt is on record, and has to be ended there."""
        self.prefilled = False
        self.output = 0
        """Tokens that are known to have passed in that attempt."""
        self.decided = False
        """The rules know it: it waits there, or is under way."""

    def placed(self, dispatch: Dispatch) -> None:
        desk, explanation, decision = self._desk, self.explanation, dispatch.decision
        self.dispatch = dispatch
        self.prefilled = False
        self.output = 0
        now = explanation.placed = explanation.sent = dispatch.sent_at
        explanation.dispatches.append(dispatch)
        # Before the worker knows where to send it, so that no replica works for nobody's account.
        self.recorded = desk.accounts.begin(explanation, dispatch, now)
        request = self.request
        self._speaker.send(
            Placed(
                request.request_id,
                dispatch.pool,
                dispatch.replica,
                dispatch.attempt,
                dispatch.queue_us,
                now,
                decision.route,
                decision.tier,
                decision.reservation,
                decision.held,
                self.recorded,
                desk.coordinator.headroom(decision, now),
                desk.run_left(decision, now),
            )
        )

    def refused(self, decision: Decision) -> None:
        desk = self._desk
        self.dispatch = None
        self.decided = False
        self.explanation.decision = decision
        now = desk.clock.now()
        self._speaker.send(
            Turned(
                self.request.request_id,
                decision.code or "internal_error",
                decision.message,
                decision.retry_after_us,
                decision.tier,
                decision.reservation,
                desk.coordinator.headroom(decision, now),
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
    ) -> None:
        self.coordinator = coordinator
        self.clock = clock
        self.accounts = accounts
        self._metrics = metrics
        self._explanations = explanations
        self._teller = teller
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
        elif isinstance(message, FirstByte | Progress | Failed):
            errand = client.errands.get(message.request_id)
            if errand is not None and errand.dispatch is not None:
                self._under_way(errand, errand.dispatch, message)

    def lost(self, client: Client) -> None:
        """The worker is gone: end what it served, and give back what that held."""
        errands, client.errands = client.errands, {}
        for errand in errands.values():
            if errand.dispatch is None:
                self._forget(errand)
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
            self._metrics.finished(explanation)
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
        request = ask.request
        explanation = _explained(request.request_id, request.arrived, ask.asker)
        errand = Errand(self, client.speaker, request, explanation)
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

    def _under_way(self, errand: Errand, dispatch: Dispatch, message: FirstByte | Progress | Failed) -> None:
        if isinstance(message, FirstByte):
            errand.prefilled = True
            errand.explanation.first_byte = self.clock.now()
            self.accounts.passed(dispatch, 0)
            self.coordinator.first_byte(dispatch)
        elif isinstance(message, Progress):
            errand.output = message.output_tokens
            self.coordinator.progress(dispatch, message.output_tokens)
            self.accounts.passed(dispatch, message.output_tokens)
        else:
            if errand.recorded:
                self.accounts.failed(errand.explanation, dispatch, dispatch.sent_at)
            errand.dispatch = None
            decision = self.coordinator.fail(errand, dispatch, message.reason)
            if decision is not None:
                errand.refused(decision)

    def _over(self, client: Client, over: Over) -> None:
        errand = client.errands.pop(over.request_id, None)
        if errand is None:
            return
        explanation, dispatch, spent = errand.explanation, errand.dispatch, over.spent
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
        self._metrics.finished(explanation)
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
