"""How does a replica speak HTTP/1.1? One asyncio protocol per client connection.

Requests on a connection are answered one at a time, in order; pipelined ones wait, and past
``MAX_PIPELINED`` the socket is not read. A response in progress owns the connection (``Exchange``):
it is told when the socket is full, when it drains and when the client is gone. The socket's own buffer
is the only one: past ``WRITE_BUFFER`` bytes an exchange must not write.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import httptools

MAX_BODY = 64 * 1024 * 1024
MAX_HEADERS = 64 * 1024
MAX_PIPELINED = 16
WRITE_BUFFER = 64 * 1024

_REASONS = {
    200: b"OK", 400: b"Bad Request", 404: b"Not Found", 405: b"Method Not Allowed",
    413: b"Content Too Large", 500: b"Internal Server Error", 503: b"Service Unavailable",
}  # fmt: skip


class Exchange(Protocol):
    """A response that is not yet complete."""

    def drained(self) -> None:
        """The socket takes bytes again."""

    def gone(self) -> None:
        """The client left."""


class Request:
    """One parsed request."""

    __slots__ = ("body", "headers", "keep_alive", "method", "path", "query", "size")

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.query = b""
        self.headers: dict[bytes, bytes] = {}
        self.body: bytes | bytearray = b""
        self.keep_alive = True
        self.size = 0


class Connection(asyncio.Protocol):
    """Parses requests, hands them to ``handle`` one at a time, frames what comes back."""

    def __init__(
        self,
        handle: Callable[[Connection, Request], None],
        connections: set[Connection],
    ) -> None:
        self._handle = handle
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._request = Request()
        self._pipeline: deque[Request] = deque()
        self._current: Request | None = None
        self._url = b""
        self.exchange: Exchange | None = None
        self.writable = True

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none of asyncio's
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any reason is the same to us
        self._connections.discard(self)
        self._pipeline.clear()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.gone()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400)
        except httptools.HttpParserError:
            self._refuse(413 if self._request.size > MAX_HEADERS else 400)
        else:
            self._next()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self.exchange is not None:
            self.exchange.drained()

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._request = Request()
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.size += len(name) + len(value)
        if self._request.size > MAX_HEADERS:
            raise ValueError("header section too large")
        self._request.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        request = self._request
        request.method = self._parser.get_method().decode("ascii")
        request.keep_alive = self._parser.should_keep_alive()
        url = httptools.parse_url(self._url)
        request.path = (url.path or b"/").decode("latin-1")
        request.query = url.query or b""
        expects = request.headers.get(b"expect", b"").lower() == b"100-continue"
        if expects and self._current is None and not self._pipeline:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        request = self._request
        if not request.body:
            request.body = body
        else:
            if isinstance(request.body, bytes):
                request.body = bytearray(request.body)
            request.body += body
        if len(request.body) > MAX_BODY:
            request.size = MAX_HEADERS + 1
            raise ValueError("body too large")

    def on_message_complete(self) -> None:
        self._pipeline.append(self._request)
        if len(self._pipeline) == MAX_PIPELINED:
            self._transport.pause_reading()

    # what a handler calls

    def respond(
        self, status: int, body: bytes, *, content_type: bytes = b"application/json", headers: bytes = b""
    ) -> None:
        """Send a whole response; ``headers`` are further header lines, each with its line end."""
        self._transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s%s\r\n%s"
            % (
                status,
                _REASONS.get(status, b"-"),
                content_type,
                len(body),
                headers,
                self._persistence(),
                body,
            )
        )
        self._finished()

    def open_stream(self, *, headers: bytes = b"") -> None:
        """Send the head of a server-sent event stream."""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n%s%s\r\n"
            % (headers, self._persistence())
        )

    def send(self, events: bytes) -> None:
        """Send a piece of a stream as one HTTP chunk."""
        self._transport.write(b"%x\r\n%s\r\n" % (len(events), events))

    def close_stream(self, events: bytes) -> None:
        """Send the last piece and end the stream."""
        self._transport.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(events), events))
        self._finished()

    def reset(self) -> None:
        """Drop the connection at once, unsent bytes included, as a dying process does."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:  # linger 0: the peer sees a reset, not an orderly end
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._transport.abort()

    def close(self) -> None:
        """Send what is buffered, then close."""
        self._transport.close()

    def _persistence(self) -> bytes:
        if self._current is None or self._current.keep_alive:
            return b""
        return b"connection: close\r\n"

    def _finished(self) -> None:
        self.exchange = None
        request, self._current = self._current, None
        if request is not None and not request.keep_alive:
            self._transport.close()
        elif self._pipeline:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Hand over the next request, unless one is being answered."""
        if self._current is None and self._pipeline:
            if len(self._pipeline) == MAX_PIPELINED:
                self._transport.resume_reading()
            self._current = self._pipeline.popleft()
            self._handle(self, self._current)

    def _refuse(self, status: int) -> None:
        """Answer what cannot be parsed, and close: the rest of the bytes mean nothing."""
        if self._current is None and not self._pipeline:
            self._current = self._request
            self._current.keep_alive = False
            self.respond(
                status, b'{"error":{"message":"The HTTP request cannot be read.","code":%d}}' % status
            )
        else:
            self._transport.abort()
