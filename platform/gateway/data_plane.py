"""What does a request to the public port mean? Identify, classify, estimate, admit; or refuse, coded."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Final

import orjson

from coordination.bundle.directory import Directory, KeyFacts
from coordination.program.index import Program
from coordination.program.resolved import Route
from coordination.scheduling import Decision, Dispatch, Refusal
from coordination.scheduling.traits import NO_TRAITS, Traits
from coordination.scheduling.values import Request
from gateway.accounts import Accounts, NoAccounts
from gateway.agents import RUN, SESSION, run_of, session_of, task_of
from gateway.blocks import Blocks
from gateway.clock import PolicyClock
from gateway.credentials import Credentials
from gateway.downstream.connection import Answering, ClientConnection
from gateway.downstream.request import HttpRequest
from gateway.endpoints.table import ENDPOINTS, Endpoint
from gateway.errors import Problem
from gateway.exchange import UNRECORDED, Exchange
from gateway.explanations import Explanation, Explanations
from gateway.identifiers import RequestIds
from gateway.limit_fields import limit_fields
from gateway.log import innermost, log
from gateway.metrics import Metrics
from gateway.mirrors import Mirrors
from gateway.prompt import ModelRequest, upstream_body
from gateway.rules import Rules
from gateway.telling import NobodyToTell, Teller
from gateway.upstream.pool import Replicas

MODELS = b"/v1/models"
JSON = b"content-type: application/json\r\n"
BLOCKED = frozenset({"key_blocked", "tenant_blocked"})
SWEEP_SECONDS: Final = 0.1
REMEMBERED_KEYS: Final = 10_000
SESSION_LIMIT: Final = 256
"""Characters of a client's own names that are kept."""


class DataPlane:
    """The ``Service`` of the public port."""

    def __init__(
        self,
        coordinator: Rules,
        replicas: Replicas,
        clock: PolicyClock,
        accounts: Accounts | None = None,
        teller: Teller | None = None,
        region: str = "",
    ) -> None:
        self.coordinator = coordinator
        self.replicas = replicas
        self.clock = clock
        self.accounts = accounts or NoAccounts()
        self.teller = teller or NobodyToTell()
        self.region = region
        self.credentials = Credentials()
        self.blocks: Blocks | None = None
        """Who is not served because of an override; usually nobody."""
        self.metrics = Metrics()
        self.explanations = Explanations()
        self.mirrors = Mirrors(coordinator, replicas, self.credentials, clock)
        self.live: set[Exchange] = set()
        """Exchanges at a replica."""
        self._ids = RequestIds()
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._known_keys: dict[bytes, KeyFacts] = {}
        self._known_in: Directory | None = None
        self._fields_of: dict[tuple[str, str, str, str], bytes] = {}

    def start(self) -> None:
        """Watch the exchanges' deadlines until ``close``."""
        now = self.clock.now()
        for exchange in [e for e in self.live if 0 < e.deadline <= now]:
            exchange.expire()
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self.start)

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.mirrors.close()

    # -- the Service protocol ------------------------------------------------------------------

    def vet(self, request: HttpRequest) -> Problem | None:
        head = request.head
        if head is not None and head.vetted is not None:
            directory, path, sender = head.vetted
            if directory is self.coordinator.active.directory:
                request.path, request.sender = path, sender
                return None if self.blocks is None else self.blocks.problem(sender)
        path = request.path.partition(b"?")[0]
        request.path = path
        if path in ENDPOINTS:
            if request.method != "POST":
                return Problem("method_not_allowed", f"Use POST for {path.decode()}.")
        elif path == MODELS or path.startswith(MODELS + b"/"):
            if request.method != "GET":
                return Problem("method_not_allowed", "Use GET for /v1/models.")
        else:
            shown = path[:SESSION_LIMIT].decode("ascii", "replace")
            return Problem("unknown_url", f"Unknown request URL: {request.method} {shown}.")
        sender = self._identify(request.headers.get(b"authorization"))
        if isinstance(sender, Problem):
            return sender
        request.sender = sender
        if head is not None:
            # A head is vetted once a directory; a key that expires is looked at each time.
            lasting = sender.expires_at is None
            head.vetted = (self.coordinator.active.directory, path, sender) if lasting else None
        return None if self.blocks is None else self.blocks.problem(sender)

    def serve(self, request: HttpRequest, connection: ClientConnection) -> Answering | None:
        now = self.clock.now()
        explanation = Explanation(self._ids.make(now), now, bundle=self.coordinator.active.digest)
        self.explanations.add(explanation)
        client_id = request.headers.get(b"x-request-id")
        if client_id is not None:
            explanation.client_request_id = client_id[:SESSION_LIMIT].decode("latin-1")
        if request.problem is not None and isinstance(request.sender, KeyFacts):
            explanation.tenant, explanation.key_id = request.sender.tenant, request.sender.key_id
        answer = request.problem or self._answer(request, connection, explanation)
        if isinstance(answer, Problem):
            self._refuse_now(connection, explanation, answer)
            return None
        return answer

    # -- what exchanges ask --------------------------------------------------------------------

    def route(self, name: str | None) -> Route | None:
        """``None``: it has left the policy while a request waited."""
        return self.coordinator.program.routes.get(name or "")

    def tier_name(self, tier: str) -> str:
        """What clients call a tier: the first ``service_tier`` it answers to."""
        found = self.coordinator.program.tiers.get(tier)
        return found.service_tier[0] if found is not None and found.service_tier else tier

    def answer_fields(
        self, explanation: Explanation, dispatch: Dispatch, now: int, kind: bytes, more: bytes = b""
    ) -> bytes:
        """Header lines of an answer: of which content type, who it is, what was asked and served, what it
        waited. ``more``: lines behind the first."""
        decision = dispatch.decision
        key = (explanation.tier_requested or "", decision.tier, decision.reservation, explanation.bundle)
        fixed = self._fields_of.get(key)
        if fixed is None:
            if len(self._fields_of) > 1000:
                self._fields_of.clear()
            fixed = self._fields_of[key] = (
                f"x-headway-tier-requested: {key[0]}\r\nx-headway-tier-served: {self.tier_name(key[1])}\r\n"
                f"x-headway-reservation: {key[2]}\r\nx-headway-bundle: {key[3]}\r\n"
            ).encode("latin-1")
        left = limit_fields(self.coordinator.headroom(decision, now))
        return b"content-type: %b\r\n%bx-request-id: %b\r\n%bx-headway-queue-ms: %d\r\n%b" % (
            kind,
            more,
            explanation.request_id.encode(),
            fixed,
            dispatch.queue_us // 1000,
            left if decision.request.task is None else left + self._run_fields(decision, now),
        )

    def refuse(self, connection: ClientConnection, explanation: Explanation, problem: Problem) -> None:
        """Answer with an error."""
        tier = explanation.tier_requested
        requested = b"x-headway-tier-requested: %b\r\n" % tier.encode() if tier else b""
        allow = b""
        if problem.code == "method_not_allowed":
            allow = b"allow: POST\r\n" if "POST" in problem.message else b"allow: GET\r\n"
        elif problem.code in ("invalid_api_key", "key_blocked"):
            allow = b'www-authenticate: Bearer realm="headway"\r\n'
        fields = b"%bx-request-id: %b\r\nx-headway-bundle: %b\r\n%b%b%b%b" % (
            JSON,
            explanation.request_id.encode(),
            explanation.bundle.encode(),
            requested,
            allow,
            problem.fields(),
            b""
            if explanation.decision is None
            else self._limit_fields(explanation.decision, self.clock.now()),
        )
        connection.respond(problem.status, fields, problem.body())

    def _limit_fields(self, decision: Decision, now: int) -> bytes:
        """What the tightest limits of requests and of tokens leave."""
        fields = limit_fields(self.coordinator.headroom(decision, now))
        return fields if decision.request.task is None else fields + self._run_fields(decision, now)

    def _run_fields(self, decision: Decision, now: int) -> bytes:
        """What its run and session may still use."""
        tokens, steps = self.coordinator.run_left(decision, now)
        return (b"" if tokens is None else b"x-headway-run-tokens-remaining: %d\r\n" % tokens) + (
            b"" if steps is None else b"x-headway-run-steps-remaining: %d\r\n" % steps
        )

    # -- inside --------------------------------------------------------------------------------

    def _refuse_now(self, connection: ClientConnection, explanation: Explanation, problem: Problem) -> None:
        explanation.problem = problem
        explanation.outcome = "refused"
        explanation.status = problem.status
        explanation.finished = self.clock.now()
        if explanation.decision is not None or problem.code in BLOCKED:
            self.explanations.keep(explanation)
        self.metrics.finished(explanation, self.coordinator.program)
        self.teller.note(explanation)
        self.refuse(connection, explanation, problem)

    def _identify(self, authorization: bytes | None) -> KeyFacts | Problem:
        """Whose key; asked of the directory once a key, then remembered by the key's own hash."""
        if authorization is None:
            return Problem("invalid_api_key", "No API key: send Authorization: Bearer <key>.")
        directory = self.coordinator.active.directory
        if directory is not self._known_in:
            self._known_keys = {}
            self._known_in = directory
        digest = sha256(authorization).digest()
        known = self._known_keys.get(digest)
        if known is not None and (known.expires_at is None or self.clock.now() < known.expires_at):
            return known
        scheme, _, secret = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            return Problem("invalid_api_key", "The Authorization header must read: Bearer <key>.")
        found = directory.authenticate(secret.strip().decode("latin-1"), self.clock.now())
        if not isinstance(found, KeyFacts):
            return Problem("invalid_api_key", found.message)
        if "inference" not in found.scopes:
            return Problem("key_not_permitted", "This API key is not for inference.")
        if found.tenant not in self.coordinator.program.tenants:
            return Problem("key_not_permitted", "This API key's tenant has no policy here.")
        if len(self._known_keys) >= REMEMBERED_KEYS:
            self._known_keys.clear()
        self._known_keys[digest] = found
        return found

    def _answer(
        self, http: HttpRequest, connection: ClientConnection, explanation: Explanation
    ) -> Exchange | Problem | None:
        """``None``: answered already."""
        explanation.tenant, explanation.key_id = http.sender.tenant, http.sender.key_id
        try:
            endpoint = ENDPOINTS.get(http.path)
            if endpoint is not None:
                return self._model(endpoint, http, connection, explanation)
            return self._models(http, connection, explanation)
        except Exception as error:  # noqa: BLE001 - the last line of defence: one request, not the process
            log(
                "internal_error",
                request_id=explanation.request_id,
                error=type(error).__name__,
                at_line=innermost(error),
            )
            return Problem("internal_error", "The gateway failed to handle this request.")

    def _model(
        self,
        endpoint: Endpoint,
        http: HttpRequest,
        connection: ClientConnection,
        explanation: Explanation,
    ) -> Exchange | Problem | None:
        size, headers, request_id = len(http.body), http.headers, explanation.request_id
        asked = endpoint.read(http.body)
        http.body = b""
        if isinstance(asked, Problem):
            return asked
        tenant: str = http.sender.tenant
        explanation.model = asked.model[:SESSION_LIMIT]
        explanation.stream = asked.stream
        explanation.operation = endpoint.operation
        coordinator = self.coordinator
        classified = coordinator.classify(tenant, asked.service_tier, asked.model)
        if isinstance(classified, Refusal):
            return Problem(classified.code, classified.message)
        explanation.tier_requested = classified.tier_requested
        if not self.accounts.takes():
            return UNRECORDED
        wanted = headers.get(b"x-headway-deadline-ms")
        deadline = None if wanted is None else _deadline(wanted, explanation.arrived)
        if isinstance(deadline, Problem):
            return deadline
        prompt = endpoint.prompt(asked.body)
        program = coordinator.program
        task = task_of(http, asked) if program.counts_runs else None
        if isinstance(task, Problem):
            return task
        named = RUN in headers or SESSION in headers or asked.cache_key
        request = Request(
            request_id,
            tenant,
            classified.model,
            classified.tier,
            classified.scale,
            prompt.tokens,
            asked.max_tokens,
            coordinator.blocks(classified, tenant, prompt.text),
            explanation.arrived,
            (_stickiness(http, asked, tenant) or request_id) if named else request_id,
            deadline,
            size,
            None,
            task,
            classified.adapter,
            prompt.longest,
            self._traits(http, asked) if program.selective else NO_TRAITS,
            asked.stream,
        )
        served_name = classified.adapter or program.models[classified.model].served_name
        body = upstream_body(asked, served_name, ask_usage=endpoint.asks_usage)
        exchange = Exchange(self, connection, endpoint, asked, request, body, explanation)
        decided = explanation.decided = self.clock.now()
        decision = explanation.decision = coordinator.admit(exchange, request, decided)
        if decision.verdict == "refuse":
            return Problem(
                decision.code or "internal_error", decision.message, retry_after_us=decision.retry_after_us
            )
        coordinator.pump(decision.pool or "", decided)
        return None if exchange.over else exchange

    def _traits(self, http: HttpRequest, asked: ModelRequest) -> Traits:
        """What routes of this policy may ask for."""
        headers = {}
        for name in self.coordinator.program.match_headers:
            value = http.headers.get(name.encode())
            if value is not None:
                headers[name] = value.decode("latin-1")
        session = bool(session_of(http, asked))
        return Traits(self.region, session, headers)

    def _models(
        self, http: HttpRequest, connection: ClientConnection, explanation: Explanation
    ) -> Problem | None:
        """The models the sender may use at all: some entitled tier has a route to them."""
        program = self.coordinator.program
        listed = [
            {
                "id": name,
                "object": "model",
                "created": program.records.at // 1_000_000,
                "owned_by": "headway",
            }
            for model in program.records.models
            if _entitled(program, http.sender.tenant, model.name)
            for name in (model.served_name, *model.adapters)
        ]
        name = http.path[len(MODELS) + 1 :].decode("latin-1")
        if name:
            found = program.models_by_client_name.get(name)
            wanted = name if found is None or name in program.adapters else found.served_name
            listed = [entry for entry in listed if entry["id"] == wanted]
            if not listed:
                shown = name[:SESSION_LIMIT]
                return Problem("model_not_found", f"The model {shown!r} does not exist or is not yours.")
        body = orjson.dumps(listed[0] if name else {"object": "list", "data": listed})
        explanation.outcome, explanation.status = "completed", 200
        explanation.finished = self.clock.now()
        self.metrics.finished(explanation, self.coordinator.program)
        fields = b"%bx-request-id: %b\r\nx-headway-bundle: %b\r\n" % (
            JSON,
            explanation.request_id.encode(),
            explanation.bundle.encode(),
        )
        connection.respond(200, fields, body)
        return None


def _entitled(program: Program, tenant: str, model: str) -> bool:
    return any(program.scope(tenant, tier, model).routes for tier in program.tenants[tenant].tiers)


def _stickiness(http: HttpRequest, asked: ModelRequest, tenant: str) -> str | None:
    """The run, else the session a client names, within its tenant."""
    named = run_of(http) or session_of(http, asked)
    return f"{tenant}\n{named}" if named else None


def _deadline(value: bytes | None, arrived: int) -> int | Problem | None:
    """``x-headway-deadline-ms``: milliseconds from arrival within which it is to be over. It waits no longer,
    and its tier's ``deadline`` is counted by it."""
    if value is None:
        return None
    if not value.isdigit() or len(value) > 10:
        return Problem("invalid_request", "x-headway-deadline-ms must be a number of milliseconds.")
    return arrived + int(value) * 1000
