"""How is one client served? A connection that reads requests strictly and answers them in order.

The connection knows HTTP only. What a request means is its ``Service``'s business; what answers one
is told, as ``Answering``, when its client leaves, is full, or has drained.
"""

from __future__ import annotations

import asyncio
from collections import deque
from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, cast

import httptools

from gateway.downstream.request import HttpRequest
from gateway.downstream.strictness import SINGLE, ambiguity
from gateway.errors import Problem

if TYPE_CHECKING:
    from gateway.downstream.listener import Listener

STATUS_LINE = {s.value: b"HTTP/1.1 %d %b\r\n" % (s.value, s.phrase.encode()) for s in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"connection: close\r\n"
LAST_CHUNK = b"0\r\n\r\n"
JOIN_BELOW = 16 * 1024
"""A body shorter than this is copied behind its head: one buffer is cheaper than a gather list."""


class Answering(Protocol):
    """What is answering a request, as its connection sees it."""

    def client_gone(self) -> None: ...
    def client_full(self) -> None: ...
    def client_drained(self) -> None: ...


class Service(Protocol):
    """What requests mean."""

    def vet(self, request: HttpRequest) -> Problem | None:
        """The head is read, the body is not: refuse already now?"""

    def serve(self, request: HttpRequest, connection: ClientConnection) -> Answering | None:
        """Answer (now or later). ``None`` means it is already answered."""


class ClientConnection(asyncio.BufferedProtocol):
    """One accepted socket: at most one request is being answered, the next ones wait in order."""

    __slots__ = (
        "_answering",
        "_awaits_continue",
        "_body",
        "_body_size",
        "_busy",
        "_chunked",
        "_current",
        "_fields",
        "_input_closed",
        "_lingering",
        "_listener",
        "_parser",
        "_pumping",
        "_queue",
        "_raw",
        "_repeated",
        "_request",
        "_service",
        "deadline",
        "transport",
        "write_paused",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._service = listener.service
        self._parser: Any = httptools.HttpRequestParser(self)
        self._queue: deque[HttpRequest] = deque()
        self._request: HttpRequest | None = None
        self._current: HttpRequest | None = None
        self._answering: Answering | None = None
        self._body: list[bytes] = []
        self._body_size = 0
        self._raw = 0
        self._fields = 0
        self._repeated: bytes | None = None
        self._busy = False
        self._pumping = False
        self._chunked = False
        self._awaits_continue = False
        self._input_closed = False
        self._lingering = False
        self.write_paused = False
        self.transport: asyncio.Transport
        self.deadline = inf
        """Loop time after which ``expire`` is called."""

    # -- transport callbacks -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._listener.limits.write_high)
        self.deadline = self._listener.time() + self._listener.limits.idle_seconds
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._listener.left(self)
        self.deadline = inf
        self._input_closed = True
        self._queue.clear()
        self._leave()
        self._parser = None  # it holds us: without this every connection waits for the collector

    def eof_received(self) -> bool:
        """A client that closes its side has left: half-open conversations are not supported."""
        if self._busy:
            self.transport.abort()
        return False

    def pause_writing(self) -> None:
        self.write_paused = True
        if self._answering is not None:
            self._answering.client_full()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._answering is not None:
            self._answering.client_drained()
        else:
            self._pump()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        return self._listener.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._input_closed:
            return
        self._raw += nbytes
        try:
            self._parser.feed_data(self._listener.read_buffer[:nbytes])
        except httptools.HttpParserUpgrade:
            self._refuse(Problem("bad_http", "No protocol upgrade is offered."))
        except httptools.HttpParserInvalidMethodError:
            self._refuse(Problem("bad_http", "The request method is not one of HTTP's."))
        except httptools.HttpParserError as error:
            self._refuse(Problem("bad_http", f"The request is not well-formed HTTP/1.1: {error}."))
        if self._body_size == 0 and self._raw > self._listener.limits.head and self._fields >= 0:
            self._refuse(Problem("headers_too_large", "The request head is too large."))

    # -- parser callbacks ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._input_closed:
            return
        self._request = HttpRequest()
        self._body = []
        self._body_size = 0
        self._fields = 0
        self._repeated = None
        self.deadline = self._listener.time() + self._listener.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self._request
        if request is None or self._fields < 0:  # a trailer: read past, never believed
            return
        self._fields += 1
        name = name.lower()
        headers = request.headers
        if name in headers and name in SINGLE:
            self._repeated = name
        headers[name] = value

    def on_headers_complete(self) -> None:
        request = self._request
        if request is None or self._input_closed:
            return
        limits = self._listener.limits
        fields, self._fields, self._raw = self._fields, -1, 0
        parser = self._parser
        version = parser.get_http_version()
        request.method = parser.get_method().decode("ascii")
        request.http_1_0 = version == "1.0"
        request.keep_alive = parser.should_keep_alive() and not request.http_1_0
        self.deadline = self._listener.time() + limits.body_seconds
        problem = ambiguity(request.headers, self._repeated, version)
        if problem is None and fields > limits.fields:
            problem = Problem("headers_too_large", "The request has too many headers.")
        if problem is None and int(request.headers.get(b"content-length", 0)) > limits.body:
            problem = self._too_large()
        if problem is not None:
            self._refuse(problem)
            return
        if not request.path.startswith(b"/"):
            request.path = _path_of(request.path)
        request.problem = self._service.vet(request)
        if b"expect" in request.headers:
            if request.problem is not None:
                self._refuse(request.problem)
            elif self._busy or self._queue:
                self._awaits_continue = True
            else:
                self.transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        request = self._request
        if request is None or self._input_closed:
            return
        self._body_size += len(body)
        if self._body_size > self._listener.limits.body:
            self._refuse(self._too_large())
        elif request.problem is None:
            self._body.append(body)

    def on_message_complete(self) -> None:
        request = self._request
        if request is None or self._input_closed:
            return
        body = self._body
        request.body = body[0] if len(body) == 1 else b"".join(body)
        self._body = []
        self._body_size = 0
        self._raw = 0
        self._fields = 0
        self._request = None
        self._awaits_continue = False
        self.deadline = inf
        self._queue.append(request)
        if not request.keep_alive or len(self._queue) > self._listener.limits.pipelined:
            request.keep_alive = False
            self._input_closed = True
        if self._busy:
            self.transport.pause_reading()
        else:
            self._pump()

    # -- answering -----------------------------------------------------------------------------

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """A whole answer. ``fields``: complete header lines, without content-length and date."""
        request = self._current
        assert request is not None  # noqa: S101 - only called while answering
        last = self._last()
        if request.method == "HEAD":
            body = b""
        head = b"%b%b%bcontent-length: %d\r\n%b\r\n" % (
            STATUS_LINE[status],
            self._listener.date,
            fields,
            len(body),
            CLOSE if last else b"",
        )
        if len(body) < JOIN_BELOW:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self._done()

    def begin(self, status: int, fields: bytes, first: bytes) -> None:
        """The head of a streamed answer and its first bytes, in one write."""
        request = self._current
        assert request is not None  # noqa: S101 - only called while answering
        self._chunked = not request.http_1_0
        coding = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        head = b"%b%b%b%b%b\r\n" % (
            STATUS_LINE[status],
            self._listener.date,
            fields,
            coding,
            CLOSE if self._last() else b"",
        )
        self.transport.write(head + self._framed(first) if first else head)

    def send(self, data: bytes) -> None:
        """More of a streamed answer; nothing happens for no bytes (an empty chunk would end it)."""
        if data:
            self.transport.write(self._framed(data))

    def finish(self, data: bytes = b"") -> None:
        """The last bytes of a streamed answer, and its end."""
        framed = self._framed(data) if data else b""
        if self._chunked:
            self.transport.write(framed + LAST_CHUNK)
        elif framed:
            self.transport.write(framed)
        self._done()

    def close_after_this(self) -> None:
        """The answer in progress is the connection's last."""
        if self._current is not None:
            self._current.keep_alive = False

    def hang_up(self) -> None:
        """Close once what is written is sent; used on drain. An answer in progress is cut off."""
        self._leave()
        self.transport.close()

    @property
    def idle(self) -> bool:
        """No request is being answered, waiting or half read."""
        return not self._busy and not self._queue and self._request is None

    @property
    def unsent(self) -> int:
        """Bytes of answers held in this process."""
        return self.transport.get_write_buffer_size()

    def expire(self) -> None:
        """The deadline passed: idle, half a request, or a linger that lasted long enough."""
        if self._lingering or self.transport.is_closing():
            self.transport.abort()
        elif self._busy:
            self.deadline = self._listener.time() + self._listener.limits.body_seconds
        elif self._request is not None:
            self._refuse(Problem("request_timeout", "The request took too long to arrive."))
        else:
            self._shut()

    # -- inside --------------------------------------------------------------------------------

    def _too_large(self) -> Problem:
        size = self._listener.limits.body
        return Problem("request_too_large", f"The request body exceeds {size} bytes.")

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def _last(self) -> bool:
        request = self._current
        assert request is not None  # noqa: S101 - only called while answering
        if self._listener.draining:
            request.keep_alive = False
        return not request.keep_alive

    def _refuse(self, problem: Problem) -> None:
        """Nothing more is read from this client: answer, in its turn, why; then close."""
        if self._input_closed:
            return
        self._input_closed = True
        request = self._request or HttpRequest()
        self._request = None
        self._body = []
        request.problem = problem
        request.keep_alive = False
        self.deadline = inf
        self._lingering = True
        self._queue.append(request)
        self._pump()

    def _pump(self) -> None:
        """Start what waits, one at a time; a loop, so that many quick answers do not recurse."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._queue and not self._busy and not self.write_paused:
                request = self._queue.popleft()
                self._current = request
                self._busy = True
                answering = self._service.serve(request, self)
                if self._busy:
                    self._answering = answering
        finally:
            self._pumping = False
        if not self._busy and not self._queue and not self.transport.is_closing():
            if self._awaits_continue:
                self._awaits_continue = False
                self.transport.write(CONTINUE)
            if not self.transport.is_reading():
                self.transport.resume_reading()

    def _done(self) -> None:
        request = self._current
        self._busy = False
        self._answering = None
        self._current = None
        if request is None or not request.keep_alive:
            self._shut()
            return
        if self._request is None:
            self.deadline = self._listener.time() + self._listener.limits.idle_seconds
        if self._queue or self._awaits_continue or not self.transport.is_reading():
            self._pump()

    def _shut(self) -> None:
        """Close; after a refusal, read and drop for a moment so that the answer is not reset away."""
        self._queue.clear()
        self._input_closed = True
        self.deadline = self._listener.time() + self._listener.limits.linger_seconds
        if self._lingering and self.transport.can_write_eof():
            self.transport.write_eof()
            if not self.transport.is_reading():
                self.transport.resume_reading()
        else:
            self.deadline = self._listener.time() + self._listener.limits.idle_seconds
            self.transport.close()

    def _leave(self) -> None:
        answering, self._answering = self._answering, None
        self._busy = False
        self._current = None
        if answering is not None:
            answering.client_gone()


def _path_of(target: bytes) -> bytes:
    """The path of an absolute-form target; anything else stays as it is and is not found."""
    if target[:7].lower() in (b"http://", b"https:/"):
        try:
            return httptools.parse_url(target).path or b"/"
        except httptools.HttpParserInvalidURLError:
            return target
    return target
