"""How are the replicas? Each one's metrics page is read once a second, over a kept connection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from coordination.scheduling.values import ReplicaReport
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.credentials import Credentials
from gateway.engine_page import read_page
from gateway.log import log
from gateway.upstream.connection import ReplicaConnection
from gateway.upstream.pool import ReplicaPool, Replicas

PERIOD_SECONDS = 1.0
PAGE_LIMIT = 4 * 1024 * 1024


@dataclass(slots=True)
class Seen:
    """The last thing known of one replica."""

    pool: str
    replica: str
    reachable: bool | None = None
    """``None`` until the first scrape has ended."""
    report: ReplicaReport | None = None
    """The last page read, however long ago."""
    failures: int = 0
    """Scrapes failed in a row."""


class Observer:
    """Scrapes what the policy in force names; a slow replica is not asked twice at once."""

    def __init__(
        self, coordinator: Coordinator, replicas: Replicas, clock: PolicyClock, credentials: Credentials
    ) -> None:
        self._coordinator = coordinator
        self.credentials = credentials
        self._replicas = replicas
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._busy: dict[tuple[str, str], Scrape] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.seen: dict[tuple[str, str], Seen] = {}

    def start(self) -> None:
        """Scrape now, and again every period until ``close``."""
        self._timer = self._loop.call_later(PERIOD_SECONDS, self.start)
        self._replicas.expire(self._loop.time())
        self.credentials.follow(self._coordinator.program)
        named = {
            (pool.name, url) for pool in self._coordinator.program.pools.values() for url in pool.replicas
        }
        self._replicas.retain({url for _, url in named})
        for gone in self.seen.keys() - named:
            del self.seen[gone]
        for key in named:
            scrape = self._busy.get(key)
            if scrape is not None:
                scrape.give_up()
            self.seen.setdefault(key, Seen(*key))
            self._busy[key] = Scrape(self, key, self._replicas.pool(key[1]))

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for scrape in list(self._busy.values()):
            scrape.cancel()

    def ended(self, key: tuple[str, str], page: bytes | None) -> None:
        """A scrape is over. ``None``: it failed."""
        self._busy.pop(key, None)
        seen = self.seen.get(key)
        if seen is None:
            return
        report = read_page(page, self._clock.now()) if page is not None else None
        reachable = report is not None
        if seen.reachable is not reachable:
            log("replica_reachable" if reachable else "replica_unreachable", pool=key[0], replica=key[1])
        seen.reachable = reachable
        seen.failures = 0 if reachable else seen.failures + 1
        seen.report = report or seen.report
        self._coordinator.observe(key[0], key[1], report)


class Scrape:
    """One GET of one page."""

    __slots__ = (
        "_connecting",
        "_key",
        "_observer",
        "_over",
        "_parts",
        "_pool",
        "_size",
        "_status",
        "_upstream",
    )

    def __init__(self, observer: Observer, key: tuple[str, str], pool: ReplicaPool) -> None:
        self._observer = observer
        self._key = key
        self._pool = pool
        self._parts: list[bytes] = []
        self._size = 0
        self._status = 0
        self._over = False
        self._upstream: ReplicaConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        kept = pool.take()
        if kept is not None:
            self._send(kept)
        else:
            self._connect()

    def upstream_whole(self, headers: dict[bytes, bytes], body: bytes) -> None:  # noqa: ARG002
        self._upstream = None
        self._end(body)

    def upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:  # noqa: ARG002
        self._status = status

    def upstream_body(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > PAGE_LIMIT:
            self.give_up()

    def upstream_end(self, *, framed: bool) -> None:  # noqa: ARG002
        self._upstream = None
        self._end(b"".join(self._parts) if self._status == 200 else None)

    def upstream_lost(self, *, answered: bool, stale: bool) -> None:
        self._upstream = None
        if stale and not answered:
            self._connect()
        else:
            self._end(None)

    def give_up(self) -> None:
        """It took the whole period: that is a failure."""
        self.cancel()
        self._end(None)

    def cancel(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        if self._connecting is not None:
            self._connecting.cancel()

    def _connect(self) -> None:
        self._connecting = self._pool.connect(self._connected, self._failed)

    def _connected(self, upstream: ReplicaConnection) -> None:
        self._connecting = None
        if self._over:
            upstream.abort()
        else:
            self._send(upstream)

    def _failed(self, _: str) -> None:
        self._connecting = None
        self._end(None)

    def _send(self, upstream: ReplicaConnection) -> None:
        self._upstream = upstream
        shown = self._observer.credentials.lines.get(self._key[0], b"")
        upstream.send(self, b"%b%b\r\n" % (self._pool.metrics_head, shown), b"")

    def _end(self, page: bytes | None) -> None:
        if not self._over:
            self._over = True
            self._observer.ended(self._key, page)
