"""What is one simulated replica? A listener, an engine and its timer, faults and a book of what it served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs

import msgspec
import orjson

from coordination.capacity import PROFILES, Profile
from simfleet.completions import Answer, BadRequest, Completion, error_body, parse
from simfleet.connection import Connection, Request
from simfleet.engine import Engine, Outcome
from simfleet.faults import HEALTHY, Fault
from simfleet.meters import Meters
from simfleet.pacing import EngineLoop
from simfleet.record import Record
from simfleet.responses import ResponseAnswer, parse_response
from simfleet.stream import Stream
from simfleet.texts import EmbeddingAnswer, TextAnswer, parse_embedding, parse_text
from simfleet.tokens import BLOCK_TOKENS

_LAST_WORDS = 0.02
"""Seconds a dying replica leaves its kernel to send what was written before."""

_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """What every replica of a fleet has in common."""

    model: str = "llama-3-8b"
    profile: Profile = PROFILES["llama-3-8b-h100-tp1"]
    host: str = "127.0.0.1"
    max_model_len: int = 131_072
    """Prompt and output tokens of one request, at most; also bounded by the KV pool."""
    kv_tokens: int | None = None
    max_sequences: int | None = None
    stream_interval: int = 1
    """Tokens per write of a stream after the first (vLLM's ``--stream-interval``)."""
    speed: float = 1.0
    """Engine time runs this many times faster than the clock: for tests and demonstrations."""


class Replica:
    """One OpenAI-compatible server with one engine. Lives on the running event loop."""

    def __init__(self, number: int, settings: ReplicaSettings, siblings: list[Replica]) -> None:
        self.number = number
        self.port = 0
        self.settings = settings
        self.fault = HEALTHY
        self.record = Record()
        self._boot()
        self._siblings = siblings
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._streams: dict[int, Stream] = {}
        self._errors_left: int | None = None
        self._dying: asyncio.TimerHandle | None = None
        self._reviving: asyncio.Task[None] | None = None
        self._serial = 0
        self._routes: dict[str, dict[str, Callable[[Connection, Request], None]]] = {
            "/v1/chat/completions": {"POST": partial(self._answer, parse, Answer)},
            "/v1/completions": {"POST": partial(self._answer, parse_text, TextAnswer)},
            "/v1/embeddings": {"POST": partial(self._answer, parse_embedding, EmbeddingAnswer)},
            "/v1/responses": {"POST": partial(self._answer, parse_response, ResponseAnswer)},
            "/v1/models": {"GET": self._models},
            "/health": {"GET": self._health},
            "/metrics": {"GET": self._metrics},
            "/admin/record": {"GET": self._served},
            "/admin/faults": {"GET": self._show_faults, "POST": self._set_fault},
        }

    def _boot(self) -> None:
        """A fresh engine, cold cache and zeroed counters: a process that has just started."""
        settings = self.settings
        self.engine = Engine(
            settings.profile, kv_tokens=settings.kv_tokens, max_sequences=settings.max_sequences
        )
        self.context_tokens = min(settings.max_model_len, self.engine.cache.capacity * BLOCK_TOKENS)
        self.meters = Meters(settings.model, max_model_len=self.context_tokens)
        self.loop = EngineLoop(self.engine, self.meters, self._deliver, speed=settings.speed)

    @property
    def url(self) -> str:
        return f"http://{self.settings.host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Is its listener open?"""
        return self._server is not None

    async def listen(self, port: int) -> None:
        """Open the listener; port 0 takes any. Raises ``OSError`` if the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._handle, self._connections), self.settings.host, port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def die(self) -> None:
        """Reset every connection, close the listener, forget all but the record: as if killed."""
        self._dying = None
        self.loop.close()
        for stream in list(self._streams.values()):
            self.stream_ended(stream)
        self._boot()
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.reset()

    def set_fault(self, fault: Fault) -> None:
        """Replace the fault in force (see ``faults``). Reviving is complete a moment later."""
        self.fault = fault
        self._errors_left = fault.count
        self.loop.slow = fault.factor if fault.kind == "slow" else 1.0
        if fault.kind == "stall":
            self.loop.stall()
        else:
            self.loop.resume()
        if fault.kind == "die":
            if fault.after_chunks is None:
                self._die_soon()
        elif not self.alive and self._reviving is None:
            self._reviving = asyncio.get_running_loop().create_task(self._revive())

    async def _revive(self) -> None:
        try:
            await self.listen(self.port)
        finally:
            self._reviving = None

    def _die_soon(self) -> None:
        if self._dying is None and self.alive:
            for stream in self._streams.values():
                stream.muted = True
            self._dying = asyncio.get_running_loop().call_later(_LAST_WORDS, self.die)

    # the engine's side

    def _deliver(self, outcome: Outcome) -> None:
        for sequence in outcome.emitted:
            self._streams[sequence.key].advance()

    def chunk_sent(self, stream: Stream) -> None:
        """Dies here if the fault says so (``stream.Owner``)."""
        after = self.fault.after_chunks
        if self.fault.kind == "die" and after is not None and stream.chunks >= after:
            self._die_soon()

    def stream_ended(self, stream: Stream) -> None:
        """Free the sequence if its client left, and book what was served (``stream.Owner``)."""
        sequence = stream.sequence
        if self._streams.get(sequence.key) is not stream:
            return  # it ended before: died, then its connection was lost
        del self._streams[sequence.key]
        computed = max(0, sequence.computed - sequence.cached_tokens)
        self.loop.abort(sequence)
        self.record.add(
            request_id=stream.request_id,
            outcome="completed" if stream.complete else "aborted",
            finish_reason=sequence.work.finish if stream.complete else None,
            prompt_tokens=sequence.work.prompt_tokens,
            cached_tokens=sequence.cached_tokens,
            output_tokens=stream.output_tokens,
            delivered_tokens=stream.delivered,
            computed_tokens=computed,
        )

    # the clients' side

    def _handle(self, connection: Connection, request: Request) -> None:
        methods = self._routes.get(request.path)
        if methods is None:
            connection.respond(404, error_body("Not Found", status=404, kind="NotFoundError"))
        elif (handler := methods.get(request.method)) is None:
            connection.respond(405, error_body("Method Not Allowed", status=405, kind="MethodNotAllowed"))
        else:
            handler(connection, request)

    def _answer(
        self,
        understand: Callable[..., Completion],
        answer: type[Answer],
        connection: Connection,
        request: Request,
    ) -> None:
        fault = self.fault
        if fault.kind == "die" and fault.after_chunks == 0:
            self._die_soon()
        if self._dying is not None:
            return
        if fault.kind == "error" and self._errors_left != 0:
            if self._errors_left is not None:
                self._errors_left -= 1
            message = "The engine failed (fault injected)."
            connection.respond(
                fault.status, error_body(message, status=fault.status, kind="InternalServerError")
            )
            return
        self._serial += 1
        request_id = request.headers.get(b"x-request-id", b"%d-%d" % (self.number, self._serial))
        headers = b"x-request-id: %s\r\n" % request_id
        name = request_id.decode("latin-1")
        try:
            asked = understand(request.body, model=self.settings.model, context_tokens=self.context_tokens)
        except BadRequest as refusal:
            connection.respond(refusal.status, refusal.body, headers=headers)
            return
        stream = Stream(
            self,
            connection,
            asked,
            answer(asked, request_id=name, model=self.settings.model, created=int(time.time())),
            self.loop.submit(asked.work),
            request_id=name,
            headers=headers,
            interval=self.settings.stream_interval,
        )
        self._streams[stream.sequence.key] = stream
        connection.exchange = stream
        if fault.kind != "stall":
            stream.open()

    def _models(self, connection: Connection, _request: Request) -> None:
        model = {
            "id": self.settings.model,
            "object": "model",
            "created": 0,
            "owned_by": "simfleet",
            "root": self.settings.model,
            "parent": None,
            "max_model_len": self.context_tokens,
        }
        connection.respond(200, orjson.dumps({"object": "list", "data": [model]}))

    def _health(self, connection: Connection, _request: Request) -> None:
        connection.respond(200, b"", content_type=_TEXT)

    def _metrics(self, connection: Connection, _request: Request) -> None:
        connection.respond(200, self.meters.page(self.engine), content_type=_TEXT)

    # the operator's side

    def _served(self, connection: Connection, request: Request) -> None:
        query = parse_qs(request.query.decode("latin-1"))
        try:
            after, limit = (
                int(query.get(name, [default])[0]) for name, default in (("after", "0"), ("limit", "1000"))
            )
        except ValueError:
            connection.respond(
                400, error_body("after and limit are integers.", status=400, kind="BadRequestError")
            )
            return
        page = self.record.page(max(0, after), max(0, limit))
        connection.respond(200, msgspec.json.encode({"replica": self.number, "url": self.url, **page}))

    def _show_faults(self, connection: Connection, _request: Request) -> None:
        faults = [
            {"replica": sibling.number, "url": sibling.url, "alive": sibling.alive, "fault": sibling.fault}
            for sibling in self._siblings
        ]
        connection.respond(200, msgspec.json.encode({"faults": faults}))

    def _set_fault(self, connection: Connection, request: Request) -> None:
        try:
            fault = msgspec.json.decode(request.body, type=Fault)
            target = self if fault.replica is None else self._sibling(fault.replica)
        except (msgspec.DecodeError, ValueError) as problem:
            connection.respond(400, error_body(str(problem), status=400, kind="BadRequestError"))
            return
        target.set_fault(fault)
        said = partial(self._said, connection, target)
        if target._reviving is not None:
            target._reviving.add_done_callback(lambda _task: said())
        else:
            said()

    def _said(self, connection: Connection, target: Replica) -> None:
        body = {"replica": target.number, "url": target.url, "alive": target.alive, "fault": target.fault}
        connection.respond(200, msgspec.json.encode(body))

    def _sibling(self, number: int) -> Replica:
        for sibling in self._siblings:
            if sibling.number == number:
                return sibling
        raise ValueError(f"the fleet has no replica {number}")
