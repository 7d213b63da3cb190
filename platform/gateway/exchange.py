"""What becomes of one admitted request? Wait, place, forward, settle; each exactly once.

An exchange stands between a client's connection, the coordinator and one replica connection at a time.
It is driven by their callbacks; it has no task of its own. States: waiting (no dispatch), attempting
(dispatch, nothing sent to the client yet), answering (bytes sent), over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from coordination.program.records import Timeouts
from coordination.program.resolved import Route
from coordination.scheduling import Decision, Dispatch, Lost
from coordination.scheduling.attainment import Gaps
from coordination.scheduling.values import Request, Usage
from coordination.wire.usage import CountedBy
from gateway.accounts import Ended
from gateway.endpoints.table import Endpoint
from gateway.errors import Problem
from gateway.explanations import Explanation
from gateway.identifiers import as_uuid
from gateway.json_member import set_member
from gateway.log import log
from gateway.prompt import ModelRequest
from gateway.racing import Race, failure_in
from gateway.rules import FailReason, Outcome
from gateway.sse import EventStream
from gateway.telemetry.meter import Cell
from gateway.trials import tell_of
from gateway.upstream.connection import Caller, ReplicaConnection
from gateway.usage import is_possible

if TYPE_CHECKING:
    from gateway.data_plane import DataPlane
    from gateway.downstream.connection import ClientConnection

ANSWER_LIMIT = 32 * 1024 * 1024
"""Bytes of an answer that is not streamed: it is held whole, because its length changes."""
PROGRESS_TOKENS = 256
CLIENT_CLOSED = 499
"""What the log of a request shows whose client left; nobody receives it."""

DEFAULT_TIMEOUTS = Timeouts(first_byte=60_000_000, total=600_000_000)
"""For a request whose route left the policy while it waited."""

TIMED_OUT = Problem("upstream_timeout", "The model did not answer in time.")
FAILED = Problem("upstream_failed", "The model stopped answering.")
STOPPING = Problem(
    "gateway_stopping", "This gateway is being stopped. Please retry.", retry_after_us=1_000_000
)
UNRECORDED = Problem("accounting_unavailable", "Usage cannot be put on record here. Please retry later.")


class Exchange:
    """One request from its admission to its settlement."""

    __slots__ = (
        "_answered",
        "_asked",
        "_body",
        "_cell",
        "_connecting",
        "_connection",
        "_dispatch",
        "_endpoint",
        "_events",
        "_explanation",
        "_on_trial",
        "_parts",
        "_progressed",
        "_race",
        "_request",
        "_size",
        "_status",
        "_told",
        "_told_at",
        "_total_at",
        "_type",
        "_upstream",
        "deadline",
        "over",
        "plane",
        "request",
    )

    def __init__(
        self,
        plane: DataPlane,
        connection: ClientConnection,
        endpoint: Endpoint,
        asked: ModelRequest,
        request: Request,
        body: bytes,
        explanation: Explanation,
    ) -> None:
        """``body``: what each attempt sends."""
        self.plane = plane
        self._connection = connection
        self._endpoint = endpoint
        self._asked = asked
        self.request = request
        self._body = body
        self._explanation = explanation
        self._dispatch: Dispatch | None = None
        self._upstream: ReplicaConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._race: Race | None = None
        """Of a route that hedges."""
        self._on_trial = False
        """Of a route with canaries."""
        self._events: EventStream | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._status = 0
        self._type = b""
        self._answered = False
        self.over = False
        """Whoever asked has been answered, or has left."""
        self._progressed = 0
        self._total_at = 0
        self._cell: Cell | None = None
        self._told = 0
        self._told_at = 0
        self.deadline = 0
        """Policy-clock instant after which ``expire`` is called; 0 = none."""

    # -- the coordinator's side ----------------------------------------------------------------

    @property
    def explanation(self) -> Explanation:
        return self._explanation

    def placed(self, dispatch: Dispatch) -> None:
        """A replica was chosen: send it the request."""
        plane = self.plane
        now = dispatch.sent_at
        self._dispatch = dispatch
        self._explanation.dispatches.append(dispatch)
        self._explanation.placed = now
        serving = plane.coordinator.program.pools.get(dispatch.pool)
        if serving is not None and serving.model.name != self.request.model:
            self._rename(serving.model.served_name)
        route = plane.route(dispatch.decision.route)
        timeouts = DEFAULT_TIMEOUTS if route is None else route.record.timeouts
        total_at = self._total_at = self._total_at or now + timeouts.total
        first_byte_at = now + timeouts.first_byte
        self.deadline = first_byte_at if first_byte_at < total_at else total_at
        plane.live.add(self)
        if route is not None and route.steered:
            self._steer(dispatch, route)
        kept = plane.replicas.pool(dispatch.replica).take()
        if kept is not None:
            self._send(kept, now)
        else:
            self._connect()

    def refused(self, decision: Decision) -> None:
        """It waited in vain, or no replica was left to try."""
        self._dispatch = None
        self._explanation.decision = decision
        self._end_with(
            Problem(
                decision.code or "internal_error",
                decision.message,
                retry_after_us=decision.retry_after_us,
            )
        )

    # -- the client's side ---------------------------------------------------------------------

    def client_gone(self) -> None:
        """The client left: stop the engine, settle what was done."""
        if self.over:
            return
        self._give_up()
        self._finish("aborted", CLIENT_CLOSED)

    def client_full(self) -> None:
        if self._upstream is not None:
            self._upstream.pause()

    def client_drained(self) -> None:
        if self._upstream is not None:
            self._upstream.resume()

    def gateway_stopping(self) -> None:
        """It lasted longer than a stopping gateway waits."""
        if self.over:
            return
        if self._answered:
            self._cut_off(STOPPING)
        else:
            self._give_up()
            self._end_with(STOPPING)

    # -- the replica's side --------------------------------------------------------------------

    def upstream_whole(self, headers: dict[bytes, bytes], body: bytes) -> None:
        self._upstream = None
        if self.over:
            return
        self._status = 200
        self._type = headers.get(b"content-type", b"application/json")
        self._answer_whole(body)

    def upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        failed = None if status == 200 else failure_in(status)
        if failed is not None:
            self._attempt_failed(failed)
            return
        self._status = status
        self._type = headers.get(b"content-type", b"application/json")
        if status == 200 and self._asked.stream and self._type.startswith(b"text/event-stream"):
            assert self._upstream is not None  # noqa: S101 - it speaks
            assert self._dispatch is not None  # noqa: S101 - and was asked
            self._upstream.stream()
            self._events = self._endpoint.events(
                self.plane.tier_name(self._dispatch.decision.tier), strip_usage=not self._asked.wants_usage
            )

    def upstream_body(self, data: bytes) -> None:
        events = self._events
        if events is None:
            if self._race is not None:
                self._race.over()
            self._size += len(data)
            self._parts.append(data)
            if self._size > ANSWER_LIMIT:
                self._attempt_failed("reset")
            return
        out = events.feed(data)
        if not self._answered:
            self._first_byte(out)
        else:
            self._connection.send(out)
        self._meter(events.tokens)
        if events.tokens - self._progressed >= PROGRESS_TOKENS and self._dispatch is not None:
            self._progressed = events.tokens
            self.plane.coordinator.progress(self._dispatch, events.tokens)
            self.plane.accounts.passed(self._dispatch, events.tokens)

    def upstream_end(self, *, framed: bool) -> None:
        self._upstream = None
        if self.over:
            return
        if self._events is not None:
            if framed or self._events.done:
                self._stream_ended(self._events)
            elif self._answered:
                self._cut_off(FAILED)  # it closed, as a dying process does too, and had not said it was done
            else:
                self._attempt_failed("reset")
        else:
            self._answer_whole(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))

    def upstream_lost(self, *, answered: bool, stale: bool) -> None:
        self._upstream = None
        if self.over:
            return
        if self._answered:
            self._cut_off(FAILED)
        elif stale and not answered:
            self._connect()  # the replica closed a kept connection as we took it: not its failure
        else:
            self._attempt_failed("reset")

    def expire(self) -> None:
        """The first byte, or the whole answer, took too long."""
        if self._answered:
            self._cut_off(TIMED_OUT)
        else:
            self._attempt_failed("timeout")

    # -- a second attempt's side (gateway.racing) ----------------------------------------------

    def untouched(self) -> Dispatch | None:
        """The attempt under way, if it has sent nothing yet."""
        return None if self.over or self._answered or self._size else self._dispatch

    def hedged(self, dispatch: Dispatch) -> None:
        if self._race is not None and self.untouched() is not None:
            self._race.begin(dispatch)
        else:
            self.plane.coordinator.lose(dispatch, "unsent")

    def attempted(self, dispatch: Dispatch) -> None:
        """A second attempt is made. In the explanation the one that answers comes last."""
        self._explanation.dispatches.insert(-1, dispatch)

    def put(self, upstream: ReplicaConnection, caller: Caller, dispatch: Dispatch, now: int) -> bool:
        """Send an attempt's request. ``False``: it cannot be put on record, and was not sent."""
        plane = self.plane
        if not plane.accounts.begin(self._explanation, dispatch, now):
            return False
        name, pool = self.request.request_id, plane.coordinator.program.pools.get(dispatch.pool)
        if pool is not None and pool.generic:
            name = as_uuid(name)
        head = upstream.pool.heads[self._endpoint.path]
        if plane.credentials.lines:
            head += plane.credentials.lines.get(dispatch.pool, b"")
        upstream.send(
            caller,
            b"%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n" % (head, len(self._body), name.encode()),
            self._body,
        )
        return True

    def lost(self, dispatch: Dispatch, reason: Lost, sent: int) -> None:
        """Of two attempts this one is over; it had been ``sent`` then, or not at all (0)."""
        if sent:
            self.plane.accounts.failed(self._explanation, dispatch, sent, dropped=reason == "dropped")
        self.plane.coordinator.lose(dispatch, reason)

    def beaten_by(self, dispatch: Dispatch, upstream: ReplicaConnection | None, sent: int) -> None:
        """Another attempt sends the first byte: it goes on as this exchange's own."""
        slow, slow_sent = self._dispatch, self._explanation.sent
        assert slow is not None  # noqa: S101 - there were two
        self._release()
        self.continue_with(dispatch, upstream, None, sent)
        self.lost(slow, "dropped" if slow_sent else "unsent", slow_sent)

    def continue_with(
        self,
        dispatch: Dispatch,
        upstream: ReplicaConnection | None,
        connecting: asyncio.Task[None] | None,
        sent: int,
    ) -> None:
        """Another attempt takes the place of the one that was let go of."""
        plane, explanation = self.plane, self._explanation
        self._dispatch, self._upstream, self._connecting = dispatch, upstream, connecting
        self._parts, self._size, self._events = [], 0, None
        explanation.sent = sent
        explanation.dispatches.remove(dispatch)
        explanation.dispatches.append(dispatch)
        route = plane.route(dispatch.decision.route)
        timeouts = DEFAULT_TIMEOUTS if route is None else route.record.timeouts
        self.deadline = min(dispatch.sent_at + timeouts.first_byte, self._total_at)
        plane.live.add(self)

    def connected(self, upstream: ReplicaConnection) -> None:
        self._connecting = None
        if self.over or self._dispatch is None:
            upstream.abort()
        else:
            self._send(upstream, self.plane.clock.now())

    def unreachable(self, _: str) -> None:
        self._connecting = None
        if not self.over:
            self._attempt_failed("connect")

    # -- inside --------------------------------------------------------------------------------

    def _steer(self, dispatch: Dispatch, route: Route) -> None:
        """What the route does beside sending it. Only an answer whose first byte comes as soon as the prompt
        is read says by its silence that a replica is slow."""
        self._on_trial = bool(route.trials)
        if dispatch.attempt == 1 and route.mirrors:
            timeouts = route.record.timeouts
            self.plane.mirrors.copy_of(dispatch, self._endpoint.path, self._body, timeouts)
        if self._asked.stream or not self._endpoint.generates:
            after = self.plane.coordinator.watch(dispatch)
            if after is not None:
                self._race = self._race or Race(self)
                self._race.watch(after)

    def _give_up(self) -> None:
        """Stop the engine or leave the queue; settle what was done."""
        dispatch, sent = self._dispatch, self._explanation.sent
        self._release()
        if dispatch is None:
            pool = self._explanation.decision.pool if self._explanation.decision else None
            self.plane.coordinator.cancel(self.request.request_id, pool or "")
        else:
            self._settle("aborted", self._counted() if sent else Usage(0, 0, 0), "aborted")

    def _rename(self, model: str) -> None:
        """A fallback may serve another model (``rewrite``), and must be asked for that one."""
        asked = self._asked.body
        if asked["model"] != model:
            asked["model"] = model
            self._body = orjson.dumps(asked)

    def _connect(self) -> None:
        assert self._dispatch is not None  # noqa: S101 - only between dispatch and answer
        self._connecting = self.plane.replicas.pool(self._dispatch.replica).connect(
            self.connected, self.unreachable
        )

    def _send(self, upstream: ReplicaConnection, now: int) -> None:
        dispatch = self._dispatch
        assert dispatch is not None  # noqa: S101 - only between dispatch and answer
        self._upstream = upstream
        self._explanation.sent = now
        if not self.put(upstream, self, dispatch, now):
            self._explanation.sent = 0
            self._settle("aborted", Usage(0, 0, 0), "failed")
            self._end_with(UNRECORDED)

    def _first_byte(self, out: bytes) -> None:
        dispatch = self._dispatch
        assert dispatch is not None  # noqa: S101 - a replica speaks
        if self._race is not None:
            self._race.over()
        self._answered = True
        self.deadline = self._total_at
        self._explanation.first_byte = self.plane.clock.now()
        now, more = self._explanation.first_byte, b"cache-control: no-cache\r\n"
        fields = self.plane.answer_fields(self._explanation, dispatch, now, self._type, more)
        self._connection.begin(200, fields, out)
        self.plane.accounts.passed(dispatch, 0)
        self.plane.coordinator.first_byte(dispatch)

    def _meter(self, tokens: int) -> None:
        """Tell the meter of the tokens of this read; the first read has no gap before it."""
        passed = tokens - self._told
        if not passed:
            return
        now = self.plane.clock.now()
        cell = self._cell
        if cell is not None:
            cell.passed(passed, now - self._told_at)
            gaps = self._explanation.gaps
            if gaps is not None:
                gaps.passed(passed, now - self._told_at)
        elif (dispatch := self._dispatch) is not None:
            of = self.request
            cell = self.plane.metrics.meter.cell(
                of.tenant, dispatch.decision.tier, of.model, dispatch.pool, dispatch.replica
            )
            cell.holders += 1
            cell.streamed += passed
            self._cell = cell
            tier = self.plane.coordinator.program.tiers.get(dispatch.decision.tier)
            if tier is not None and tier.gap_bounds:
                self._explanation.gaps = Gaps(tier.gap_bounds)
        self._told, self._told_at = tokens, now

    def _stream_ended(self, events: EventStream) -> None:
        rest = events.close()
        if not self._answered:
            self._first_byte(rest)
            rest = b""
        self._settle("completed", self._counted(), "completed")
        self._finish("completed", 200)
        self._connection.finish(rest)

    def _answer_whole(self, body: bytes) -> None:
        dispatch, status, plane = self._dispatch, self._status, self.plane
        assert dispatch is not None  # noqa: S101 - a replica spoke
        now = self._explanation.first_byte = plane.clock.now()
        if status == 200:
            usage = self._believed(self._endpoint.usage(body), 0)
            self._settle(
                "completed", usage or self._counted(), "completed", by_engine=usage is not None, now=now
            )
            if body.startswith(b"{") and body.endswith((b"}", b"\n")):
                tier = plane.tier_name(dispatch.decision.tier)
                body = set_member(body, body.rfind(b"}"), b'"service_tier"', b'"%b"' % tier.encode())
        else:  # the engine refused it: it is well, and no work was done
            plane.coordinator.first_byte(dispatch)
            self._settle("aborted", Usage(0, 0, 0), "failed", by_engine=True)
        fields = plane.answer_fields(self._explanation, dispatch, now, self._type)
        self._finish("completed", status, now)
        self._connection.respond(status, fields, body)

    def _attempt_failed(self, reason: FailReason) -> None:
        """Nothing was sent to the client yet: the policy says whether another replica is tried."""
        dispatch, race, sent = self._dispatch, self._race, self._explanation.sent
        if dispatch is None:
            return
        self._release()
        if race is not None:
            if race.rival is not None:
                race.rival.take_over()
                self.lost(dispatch, reason, sent)
                return
            race.over()
        if sent:
            self.plane.accounts.failed(self._explanation, dispatch, sent)
        self._dispatch = None
        self._parts = []
        self._size = 0
        self._events = None
        self._explanation.sent = 0
        decision = self.plane.coordinator.fail(self, dispatch, reason)
        if decision is not None:
            self.refused(decision)

    def _cut_off(self, problem: Problem) -> None:
        """Too late for another attempt: tell the client inside its stream, and close."""
        events = self._events
        assert events is not None  # noqa: S101 - of what is not streamed nothing is sent before its end
        self._release()
        self._settle("aborted", self._counted(), "failed")
        self._explanation.problem = problem
        self._finish("aborted", problem.status)
        self._connection.close_after_this()
        self._connection.finish(events.failure(problem))

    def _end_with(self, problem: Problem) -> None:
        if self.over:
            return
        self._release()
        self._explanation.problem = problem
        self.plane.explanations.keep(self._explanation)
        self._finish("refused", problem.status)
        self.plane.refuse(self._connection, self._explanation, problem)

    def _counted(self) -> Usage:
        """What was done as far as we saw, when the engine did not say."""
        events = self._events
        if events is not None and events.usage is not None:
            events.usage = self._believed(events.usage, events.tokens)
            if events.usage is not None:
                return events.usage
        if self._dispatch is None:
            return Usage(0, 0, 0)
        uncached, cached, _ = self._dispatch.decision.held
        return Usage(uncached, cached, events.tokens if events is not None else 0)

    def _believed(self, usage: Usage | None, seen: int) -> Usage | None:
        """What the engine says it did, unless it cannot be: then we go by our own count."""
        dispatch = self._dispatch
        if usage is None or dispatch is None:
            return usage
        pool = self.plane.coordinator.program.pools.get(dispatch.pool)
        if pool is None or is_possible(usage, seen, self._asked.answers * pool.model.context_window):
            return usage
        self.plane.metrics.usage_disbelieved += 1
        log(
            "usage_disbelieved",
            request_id=self.request.request_id,
            pool=dispatch.pool,
            replica=dispatch.replica,
            told=[usage.uncached_input, usage.cached_input, usage.output],
            seen=seen,
        )
        return None

    def _settle(
        self, outcome: Outcome, usage: Usage, ended: Ended, *, by_engine: bool = False, now: int = 0
    ) -> None:
        """Once for each attempt: what the rules charge, and what the ledger is told."""
        if self._race is not None:
            self._race.over()
        dispatch, self._dispatch = self._dispatch, None
        if dispatch is None:
            return
        explanation, plane = self._explanation, self.plane
        now = now or plane.clock.now()
        charge = explanation.charge = plane.coordinator.settle(dispatch, usage, outcome, now)
        if explanation.sent:
            by_engine = by_engine or (self._events is not None and self._events.usage is not None)
            counted_by: CountedBy = "engine" if by_engine else "gateway"
            plane.accounts.settled(explanation, dispatch, charge, ended, counted_by, now)

    def _release(self) -> None:
        """Let go of the replica, whatever it is doing."""
        self.deadline = 0
        self.plane.live.discard(self)
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()

    def _finish(self, outcome: str, status: int, now: int = 0) -> None:
        """Whoever asked is about to be answered, or has left. ``now``: the clock, if it was just read."""
        plane = self.plane
        self.over = True
        if self._cell is not None:
            self._cell.holders -= 1
            self._cell = None
        self.deadline = 0
        plane.live.discard(self)
        self._body = b""
        explanation = self._explanation
        explanation.outcome = outcome
        explanation.status = status
        explanation.finished = now or plane.clock.now()
        plane.metrics.finished(explanation, plane.coordinator.program)
        plane.teller.note(explanation)
        if self._on_trial:
            tell_of(explanation, plane.coordinator)
        self.request.blocks = ()
