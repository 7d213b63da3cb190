"""How is one client served? A connection that answers what it reads, in order, one at a time.

The connection knows HTTP only. What a request means is its ``Service``'s business; what answers one
is told, as ``Answering``, when its client leaves, is full, or has drained.
"""

from __future__ import annotations

import asyncio
from collections import deque
from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Protocol, cast

from gateway.downstream.reader import RequestReader
from gateway.downstream.request import HttpRequest
from gateway.errors import Problem
from gateway.log import innermost, log

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
    def gateway_stopping(self) -> None:
        """Time is up: end the answer, saying so."""


class Service(Protocol):
    """What requests mean."""

    def vet(self, request: HttpRequest) -> Problem | None:
        """The head is read, the body is not: refuse already now?"""

    def serve(self, request: HttpRequest, connection: ClientConnection) -> Answering | None:
        """Answer (now or later). ``None`` means it is already answered."""


class ClientConnection(RequestReader):
    """One accepted socket: at most one request is being answered, the next ones wait in order."""

    __slots__ = (
        "_answering",
        "_awaits_continue",
        "_busy",
        "_chunked",
        "_current",
        "_lingering",
        "_pumping",
        "_queue",
        "_service",
        "transport",
        "write_paused",
    )

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._service = listener.service
        self._queue: deque[HttpRequest] = deque()
        self._current: HttpRequest | None = None
        self._answering: Answering | None = None
        self._busy = False
        self._pumping = False
        self._chunked = False
        self._awaits_continue = False
        self._lingering = False
        """A refusal is among the answers: the client is read from, and ignored, until it has seen it."""
        self.write_paused = False
        self.transport: asyncio.Transport

    # -- transport callbacks -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._listener.limits.write_high)
        self.deadline = self._listener.now + self._listener.limits.idle_seconds
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

    # -- what the reader has found -------------------------------------------------------------

    def _head_read(self, request: HttpRequest) -> None:
        request.problem = self._service.vet(request)
        if b"expect" in request.headers:
            if request.problem is not None:
                self._refuse(request.problem)  # the client waits for leave to send: it gets none
            elif self._busy or self._queue:
                self._awaits_continue = True
            else:
                self.transport.write(CONTINUE)

    def _request_read(self, request: HttpRequest) -> None:
        self._awaits_continue = False
        self._queue.append(request)
        if len(self._queue) > self._listener.limits.pipelined:
            request.keep_alive = False
            self._input_closed = True
        if self._busy:
            self.transport.pause_reading()
        else:
            self._pump()

    def _refused(self, request: HttpRequest) -> None:
        self._lingering = True
        self._queue.append(request)
        self._pump()

    # -- answering -----------------------------------------------------------------------------

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """A whole answer. ``fields``: complete header lines, without content-length and date."""
        request = self._current
        assert request is not None  # noqa: S101 - only called while answering
        listener = self._listener
        if request.method == "HEAD":
            body = b""
        head = b"%b%b%bcontent-length: %d\r\n%b\r\n" % (
            STATUS_LINE[status],
            listener.date,
            fields,
            len(body),
            b"" if request.keep_alive and not listener.draining else self._closing(request),
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
            b"" if request.keep_alive and not self._listener.draining else self._closing(request),
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
        """Close once what is written is sent; used on drain. An answer in progress is told to end."""
        if self._answering is not None:
            self._answering.gateway_stopping()
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
            self.deadline = self._listener.now + self._listener.limits.body_seconds
        elif self._request is not None:
            self._refuse(Problem("request_timeout", "The request took too long to arrive."))
        else:
            self._shut()

    # -- inside --------------------------------------------------------------------------------

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def _closing(self, request: HttpRequest) -> bytes:
        """The answer to ``request`` is the last, and says so."""
        request.keep_alive = False
        return CLOSE

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
        except Exception as error:  # noqa: BLE001 - a fault in one answer ends one connection
            log("internal_error", error=type(error).__name__, at_line=innermost(error))
            self.transport.abort()
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
        if request is None or not request.keep_alive or (self._listener.draining and self.idle):
            self._shut()
            return
        if self._request is None:
            self.deadline = self._listener.now + self._listener.limits.idle_seconds
        if self._queue or self._awaits_continue or not self.transport.is_reading():
            self._pump()

    def _shut(self) -> None:
        """Close; after a refusal, read and drop for a moment so that the answer is not reset away."""
        self._queue.clear()
        self._input_closed = True
        self.deadline = self._listener.now + self._listener.limits.linger_seconds
        if self._lingering and self.transport.can_write_eof():
            self.transport.write_eof()
            if not self.transport.is_reading():
                self.transport.resume_reading()
        else:
            self.deadline = self._listener.now + self._listener.limits.idle_seconds
            self.transport.close()

    def _leave(self) -> None:
        answering, self._answering = self._answering, None
        self._busy = False
        self._current = None
        if answering is not None:
            answering.client_gone()
