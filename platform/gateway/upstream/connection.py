"""How is one request put to one replica? A kept-alive HTTP/1.1 connection with a response parser.

The connection carries one exchange at a time for a ``Caller``. Reads are small while a stream runs, so
that pausing takes effect after one of them.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import httptools

from gateway.log import innermost, log
from gateway.upstream.answers import AnswerHead

if TYPE_CHECKING:
    from gateway.upstream.pool import ReplicaPool

READ_SIZE: Final = 64 * 1024
STREAM_READ_SIZE: Final = 8 * 1024
HEAD_LIMIT: Final = 64 * 1024

_bytes = bytearray(READ_SIZE)
_read_buffer = memoryview(_bytes)
_stream_buffer = _read_buffer[:STREAM_READ_SIZE]


class Caller(Protocol):
    """Whoever asked. Exactly one of ``upstream_whole``, ``upstream_end`` and ``upstream_lost`` comes last."""

    def upstream_whole(self, headers: dict[bytes, bytes], body: bytes) -> None:
        """All of a 200 answer at once: head, body and end."""

    def upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None: ...
    def upstream_body(self, data: bytes) -> None: ...
    def upstream_end(self, *, framed: bool) -> None:
        """``framed``: the replica said where the answer ends, it did not just close."""

    def upstream_lost(self, *, answered: bool, stale: bool) -> None:
        """The connection broke. ``answered``: bytes had come. ``stale``: it was a kept one, idle before."""


class ReplicaConnection(asyncio.BufferedProtocol):
    """One socket to one replica."""

    __slots__ = (
        "_answered",
        "_buffer",
        "_caller",
        "_complete",
        "_head_size",
        "_headers",
        "_keep",
        "_parser",
        "_status",
        "_until_eof",
        "exchanges",
        "idle_since",
        "pool",
        "transport",
    )

    def __init__(self, pool: ReplicaPool) -> None:
        self.pool = pool
        self._parser: Any = httptools.HttpResponseParser(self)
        self._caller: Caller | None = None
        self._headers: dict[bytes, bytes] = {}
        self._head_size = 0
        self._status = 0
        self._answered = False
        self._complete = False
        self._until_eof = False
        self._keep = False
        self._buffer = _read_buffer
        self.exchanges = 0
        self.idle_since = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, caller: Caller, head: bytes, body: bytes) -> None:
        """Put one request. ``head`` ends with the blank line."""
        self._caller = caller
        self._headers = {}
        self._head_size = 0
        self._answered = self._complete = self._until_eof = False
        self._buffer = _read_buffer
        self.exchanges += 1
        if len(body) < READ_SIZE:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))

    def stream(self) -> None:
        """The answer is forwarded as it comes: read it in small pieces."""
        self._buffer = _stream_buffer

    def pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def hand_to(self, caller: Caller) -> None:
        """Another caller hears what comes from now on."""
        if self._caller is not None:
            self._caller = caller

    def abort(self) -> None:
        """The caller no longer wants the answer: an engine stops when its client is gone."""
        self._caller = None
        self.transport.abort()

    # -- transport callbacks -------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._caller is None:
            self.transport.abort()  # bytes nobody asked for: this connection cannot be trusted again
            return
        first = not self._answered
        self._answered = True
        if first and (known := self.pool.answers.known) is not None:
            body = known.body_of(_bytes, nbytes)
            if body is not None:
                self._whole(known, bytes(body))
                return
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
                log(
                    "internal_error",
                    error=type(error.__context__).__name__,
                    at_line=innermost(error.__context__),
                )
            self.transport.abort()
            self._lost()
            return
        if self._head_size > HEAD_LIMIT:
            self.transport.abort()
            self._lost()
        elif self._complete:
            if first and self._keep and self._status == 200 and not self._until_eof:
                self.pool.answers.learn(_bytes, nbytes, self._headers)
            self._finished()

    def eof_received(self) -> bool:
        if self._caller is not None and self._until_eof:
            self._complete = True
            self._finished()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.pool.forget(self)
        self._lost()
        self._parser = None

    # -- parser callbacks ----------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._status = status
        if status < 200 or self._caller is None:
            return
        headers = self._headers
        self._keep = self._parser.should_keep_alive()  # only meaningful before the message is complete
        self._until_eof = (
            status not in (204, 304)
            and b"content-length" not in headers
            and b"transfer-encoding" not in headers
        )
        self._caller.upstream_head(status, headers)

    def on_body(self, body: bytes) -> None:
        if self._caller is not None:
            self._caller.upstream_body(body)

    def on_message_complete(self) -> None:
        if self._status >= 200:
            self._complete = True
        else:
            self._headers = {}

    # -- inside --------------------------------------------------------------------------------

    def _whole(self, head: AnswerHead, body: bytes) -> None:
        """One read was a whole answer under a head that was parsed before."""
        caller, self._caller = self._caller, None
        self.pool.answers.met()
        if not self.transport.is_closing():
            self.pool.release(self)
        if caller is not None:
            caller.upstream_whole(head.headers, body)

    def _finished(self) -> None:
        caller, self._caller = self._caller, None
        if self._keep and not self._until_eof and not self.transport.is_closing():
            self.resume()
            self.pool.release(self)
        else:
            self.transport.close()
        if caller is not None:
            caller.upstream_end(framed=not self._until_eof)

    def _lost(self) -> None:
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.upstream_lost(answered=self._answered, stale=self.exchanges > 1 and not self._answered)
