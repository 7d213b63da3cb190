"""Which connection carries the next request to a replica? A kept one if any, else a new one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.endpoints.table import ENDPOINTS
from gateway.upstream.answers import KnownAnswers
from gateway.upstream.connection import ReplicaConnection

CONNECT_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 4.0
"""Below the 5 s after which common engine servers close a kept connection: we close first."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a replica listens."""

    host: str
    port: int
    authority: bytes
    """For the Host header."""
    prefix: bytes
    """Path in front of ``/v1/...``, without a trailing slash."""
    tls: bool

    @classmethod
    def of(cls, url: str) -> Address:
        """From a base URL such as ``http://127.0.0.1:8101``. ValueError if it is not http(s)."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http URL: {url}")
        tls = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=parts.port or (443 if tls else 80),
            authority=parts.netloc.encode(),
            prefix=parts.path.rstrip("/").encode(),
            tls=tls,
        )


class ReplicaPool:
    """The kept-alive connections of one replica; the last one used goes first, the rest grow old."""

    __slots__ = (
        "_closed",
        "_idle",
        "_loop",
        "_tasks",
        "_tls",
        "address",
        "answers",
        "heads",
    )

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        """``tls``: which certificates are believed, should the URL be an https one."""
        self.address = address = Address.of(url)
        self.heads = {
            path: b"POST %b%b HTTP/1.1\r\nhost: %b\r\nuser-agent: headway\r\n"
            b"content-type: application/json\r\n" % (address.prefix, path, address.authority)
            for path in ENDPOINTS
        }
        """By path: a request's head up to its content-length."""
        self.answers = KnownAnswers()
        self._tls = tls if address.tls else None
        self._closed = False
        self._idle: list[ReplicaConnection] = []
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def question(self, path: str) -> bytes:
        """A GET's head, but for the blank line."""
        return b"GET %b%b HTTP/1.1\r\nhost: %b\r\nuser-agent: headway\r\n" % (
            self.address.prefix,
            path.encode(),
            self.address.authority,
        )

    def take(self) -> ReplicaConnection | None:
        """A kept connection, or ``None``."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def connect(
        self, ready: Callable[[ReplicaConnection], None], failed: Callable[[str], None]
    ) -> asyncio.Task[None]:
        """Open a new connection. Calls exactly one of both unless the task is cancelled.

        ``failed`` gets a word for the explanation: ``refused``, ``timeout`` or ``unreachable``.
        """
        task = self._loop.create_task(self._connect(ready, failed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def release(self, connection: ReplicaConnection) -> None:
        """Its exchange is over and it may carry another."""
        if self._closed:
            connection.transport.close()
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    def forget(self, connection: ReplicaConnection) -> None:
        """It is closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def expire(self, now: float) -> None:
        """Close what was idle too long. ``now``: loop time."""
        while self._idle and now - self._idle[0].idle_since > IDLE_SECONDS:
            self._idle.pop(0).transport.close()

    def close(self) -> None:
        """No further use: close idle connections; busy ones close when their exchange ends."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        while self._idle:
            self._idle.pop().transport.close()

    async def _connect(
        self, ready: Callable[[ReplicaConnection], None], failed: Callable[[str], None]
    ) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await self._loop.create_connection(
                    lambda: ReplicaConnection(self), self.address.host, self.address.port, ssl=self._tls
                )
        except TimeoutError:
            failed("timeout")
        except ConnectionRefusedError:
            failed("refused")
        except OSError:
            failed("unreachable")
        else:
            ready(connection)


class Replicas:
    """The pools of all replicas, by base URL; made on first use."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """``tls``: whom to believe on https replicas; by default the authorities of the system."""
        self._tls = tls
        self._pools: dict[str, ReplicaPool] = {}

    def pool(self, url: str) -> ReplicaPool:
        found = self._pools.get(url)
        if found is None:
            found = self._pools[url] = ReplicaPool(url, self._trust(url))
        return found

    def _trust(self, url: str) -> ssl.SSLContext | None:
        """Reading the system's authorities takes 20 ms: only who needs them pays."""
        if self._tls is None and url.startswith("https:"):
            self._tls = ssl.create_default_context()
        return self._tls

    def retain(self, urls: set[str]) -> None:
        """Close the kept connections of replicas that no policy names any more."""
        for url in self._pools.keys() - urls:
            self._pools.pop(url).close()

    def expire(self, now: float) -> None:
        for pool in self._pools.values():
            pool.expire(now)

    def close(self) -> None:
        self.retain(set())
