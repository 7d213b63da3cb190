"""How fast does a server answer when the load generator is no part of the answer?

Closed loop: each connection sends a prebuilt request, and the next one when the answer is whole. Nothing
is parsed beyond where an answer ends.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

CONNECT_S = 10.0
LONGEST_S = 20.0
"""A server that has answered nobody by then is given up."""


class BadAnswer(Exception):
    """The server answered something other than was asked for; the message holds the start of it."""


@dataclass(slots=True)
class Measured:
    """One stretch of load."""

    seconds: float = 0.0
    latencies_s: array[float] = field(default_factory=lambda: array("d"))
    firsts_s: array[float] = field(default_factory=lambda: array("d"))
    """From the request to the first event of a stream; none of whole answers."""

    @property
    def requests(self) -> int:
        return len(self.latencies_s)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def p50_s(self) -> float:
        return sorted(self.latencies_s)[self.requests // 2]


def request_bytes(host: str, port: int, key: str, body: bytes) -> bytes:
    """A whole chat completion request."""
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: %s:%d\r\nauthorization: Bearer %s\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        % (host.encode(), port, key.encode(), len(body), body)
    )


class _Connection(asyncio.Protocol):
    def __init__(
        self,
        requests: list[bytes],
        offset: int,
        latencies: array[float],
        firsts: array[float],
        status: int = 200,
    ) -> None:
        self._begins = b"HTTP/1.1 %d" % status
        self._requests = requests
        self._next = offset
        self._latencies = latencies
        self._firsts = firsts
        self._begun = False
        self._held = b""
        self._sent_at = 0.0
        self.stopping = False
        self.idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        self._sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        if not self._begun and b"\r\ndata: " in data:
            self._begun = True
            self._firsts.append(time.perf_counter() - self._sent_at)
        if not _whole(data):
            self._held = data
            return
        self._held = b""
        self._begun = False
        if not data.startswith(self._begins):
            self._fail(data[:400].decode("latin-1"))
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        if self.stopping:
            if not self.idle.done():
                self.idle.set_result(None)
        else:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was closed ({exc})")

    def _fail(self, why: str) -> None:
        if not self.idle.done():
            self.idle.set_exception(BadAnswer(why))


def _whole(data: bytes) -> bool:
    """Whether ``data`` is a whole answer: by its content-length, or the last chunk; a 304 has no body."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    if data.startswith(b"HTTP/1.1 304"):
        return True
    at = data.find(b"ontent-", 0, end)
    while at >= 0:
        if data[at + 7 : at + 14].lower() == b"length:":
            return len(data) - end - 4 >= int(data[at + 14 : data.index(b"\r\n", at)])
        at = data.find(b"ontent-", at + 7, end)
    return data.endswith(b"0\r\n\r\n")


async def measure(
    host: str,
    port: int,
    requests: list[bytes],
    *,
    connections: int,
    seconds: float,
    status: int = 200,
    warmup_s: float = 0.3,
    spread_s: float = 0.0,
    on_start: Callable[[], None] | None = None,
    on_end: Callable[[], None] | None = None,
) -> Measured:
    """Loads one server. The warm-up counts for nothing; the two callbacks enclose what counts.

    ``spread_s``: the connections send their first request evenly over so long, not all at once.
    ``seconds`` is stretched until each connection could be answered once. Raises ``BadAnswer`` if any
    answer is not of ``status`` or none comes.
    """
    loop = asyncio.get_running_loop()
    latencies, firsts = array("d"), array("d")
    opened: list[_Connection] = []
    try:
        for number in range(connections):
            # Each begins elsewhere in the list, so that connections do not send the same in step.
            made = partial(_Connection, requests, number * 7, latencies, firsts, status)
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(made, host, port)
            opened.append(connection)
        for number, connection in enumerate(opened):
            loop.call_later(spread_s * number / connections, connection.send)
        failures = [connection.idle for connection in opened]
        await asyncio.wait(failures, timeout=spread_s + warmup_s, return_when=asyncio.FIRST_EXCEPTION)
        before, begun, start = len(latencies), len(firsts), time.perf_counter()
        if on_start is not None:
            on_start()
        while time.perf_counter() - start < LONGEST_S:
            done, _ = await asyncio.wait(failures, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            # A slow server is measured for longer: one round of answers at least.
            if done or len(latencies) - before >= connections:
                break
        if on_end is not None:
            on_end()
        took, counted, first = time.perf_counter() - start, latencies[before:], firsts[begun:]
        if not counted and not done:
            raise BadAnswer(f"no answer within {LONGEST_S:g} s")
        for connection in opened:
            connection.stopping = True
        async with asyncio.timeout(LONGEST_S):
            await asyncio.gather(*(connection.idle for connection in opened))
        return Measured(took, counted, first)
    finally:
        for connection in opened:
            connection.transport.abort()
