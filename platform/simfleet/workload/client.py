"""How are thousands of streamed answers read without the reader becoming the bottleneck?

One ``asyncio.Protocol`` a connection with httptools, as the gateway does it. A general HTTP client
takes four times the processor time for the same stream (httpx, measured), which on a small machine is
taken from the very system under test.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

from simfleet.workload.answers import Answer, AnswerReader

MAX_IDLE_S = 4.0
"""An idle connection older than this is not used again: the server may be about to close it, and a
completion must not be sent twice."""


class ExchangeFailed(Exception):
    """No whole HTTP answer came: refused, reset, cut short or not HTTP. The message says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a gateway listens: the part of its URL before ``/v1``."""

    host: str
    port: int
    tls: bool
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """``http(s)://host[:port][/prefix][/v1]``; ``ValueError`` says what is wrong with another."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not like http://127.0.0.1:8080")
        tls = parts.scheme == "https"
        prefix = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls, prefix)

    @property
    def authority(self) -> str:
        """The ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class _Connection(asyncio.Protocol):
    """One kept-alive connection; at most one exchange at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._headers: dict[str, str] = {}
        self.idle_since = 0.0
        self.reusable = False

    def exchange(self, request: bytes) -> asyncio.Future[Answer]:
        """Writes a whole request; the future is its answer or ``ExchangeFailed``."""
        self._reader = AnswerReader()
        self._waiter = self._loop.create_future()
        if self._transport is None or self._transport.is_closing():
            self._waiter.set_exception(ExchangeFailed("the connection was closed"))
        else:
            self._transport.write(request)
        return self._waiter

    def abort(self) -> None:
        self.reusable = False
        self._waiter = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self.reusable = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self._fail(f"not HTTP: {problem}")
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail(
            f"the connection was lost: {exc}" if exc else "the connection was closed before the answer ended"
        )

    def _fail(self, reason: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ExchangeFailed(reason))

    # httptools' callbacks, in the order they come

    def on_message_begin(self) -> None:
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._reader is not None:
            self._reader.head(self._parser.get_status_code(), self._headers)

    def on_body(self, body: bytes) -> None:
        if self._reader is not None:
            self._reader.feed(body, self._loop.time())

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            return  # 100 Continue and the like: the answer is still to come
        self.reusable = self._parser.should_keep_alive()
        self.idle_since = self._loop.time()
        if self._reader is not None and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self._reader.finish(self.idle_since))


class Client:
    """A connection pool to one target. ``async with`` closes what is left open."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._idle: list[_Connection] = []
        self._tls = ssl.create_default_context() if target.tls else None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().abort()

    async def get(self, path: str, key: str) -> Answer:
        """``GET`` of an API path such as ``/v1/models``; ``ExchangeFailed`` if no whole answer came."""
        return await self._send(self._head("GET", path, key, "") + b"\r\n")

    async def complete(self, body: bytes, key: str, headers: str = "") -> Answer:
        """``POST /v1/chat/completions``. ``headers`` are further lines, each ending in CRLF.

        Raises ``ExchangeFailed`` if no whole answer came. Cancelling closes the connection, which
        is how a client tells a server that it has left.
        """
        head = self._head("POST", "/v1/chat/completions", key, headers)
        length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        return await self._send(head + length + body)

    def _head(self, method: str, path: str, key: str, headers: str) -> bytes:
        return (
            f"{method} {self.target.prefix}{path} HTTP/1.1\r\nhost: {self.target.authority}\r\n"
            f"authorization: Bearer {key}\r\n{headers}"
        ).encode("latin-1")

    async def _send(self, request: bytes) -> Answer:
        connection = self._from_pool() or await self._connect()
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    def _from_pool(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and now - connection.idle_since < MAX_IDLE_S:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(loop), self.target.host, self.target.port, ssl=self._tls
            )
        except OSError as problem:
            raise ExchangeFailed(f"no connection to {self.target.authority}: {problem}") from problem
        return connection
