"""How are the replicas? Each one is asked once a second, over a kept connection.

What is asked, and what an answer means, is for ``coordination.engines`` to say; here it is fetched, and
told to the rules.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from coordination.engines import MODELS, PAGE_LIMIT, Asking, Reading
from coordination.program.index import Program
from coordination.scheduling.replicas import STALE_AFTER
from coordination.scheduling.values import ReplicaReport
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.credentials import Credentials
from gateway.engine_page import report_of
from gateway.log import log
from gateway.upstream.connection import ReplicaConnection
from gateway.upstream.pool import ReplicaPool, Replicas

PERIOD_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""How long a server without metrics that works for us may take to say how it is."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a pool's replicas are, by the policy."""

    engine: str
    model: str
    """As clients and engines call it."""
    adapters: bool
    """Whether the policy names some."""


@dataclass(slots=True)
class Seen:
    """The last thing known of one replica."""

    pool: str
    replica: str
    asking: Asking
    reachable: bool | None = None
    """``None`` until the first answer, or its absence."""
    report: ReplicaReport | None = None
    """What was last told to the rules, however long ago."""
    reading: Reading = field(default_factory=Reading)
    """The last page."""
    problem: str | None = None
    """Why it is not reachable, if it said so itself."""
    failures: int = 0
    """Questions in a row that failed."""


class Observer:
    """Asks what the policy in force names; a slow replica is not asked twice at once."""

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
        self._program: Program | None = None
        self._served: dict[str, Served] = {}
        self.seen: dict[tuple[str, str], Seen] = {}

    def start(self) -> None:
        """Ask now, and again every period until ``close``."""
        self._timer = self._loop.call_later(PERIOD_SECONDS, self.start)
        self._replicas.expire(self.now())
        program = self._coordinator.program
        self.credentials.follow(program)
        if program is not self._program:
            self._follow(program)
        named = {(pool, url) for pool in program.pools for url in self._coordinator.members(pool)}
        self._replicas.retain({url for _, url in named})
        for gone in self.seen.keys() - named:
            del self.seen[gone]
        for key in named:
            if key not in self.seen:
                self.seen[key] = Seen(*key, Asking(self._served[key[0]].engine))
            scrape = self._busy.get(key)
            if scrape is not None:
                if self._has_work(key) and self.now() - scrape.begun < PATIENCE_SECONDS:
                    continue
                scrape.give_up()
            self._ask(key)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for scrape in list(self._busy.values()):
            scrape.cancel()

    def now(self) -> float:
        """Loop time."""
        return self._loop.time()

    def ended(self, key: tuple[str, str], status: int, body: bytes | None) -> None:
        """A question is over. ``None``: there is no answer."""
        self._busy.pop(key, None)
        seen, served = self.seen.get(key), self._served.get(key[0])
        if seen is None or served is None:
            return
        if body is None:
            seen.asking.lost()
            self._found(seen, False, None)
            return
        answer = seen.asking.answered(status, body, served.model)
        if answer.alive is None:
            self._ask(key)  # at once: there are few ways, and each is tried once
            return
        reading = answer.reading or Reading()
        if reading.doubts and reading.doubts != seen.reading.doubts:
            log("replica_doubted", pool=key[0], replica=key[1], message="; ".join(reading.doubts[:5]))
        seen.reading = reading
        self._found(seen, answer.alive, answer.problem)

    def states(self) -> list[dict[str, Any]]:
        """Every replica the policy names, as last seen. Unknown is ``null``."""
        now = self._clock.now()
        health = {
            (pool, one.url): one
            for pool in self._coordinator.program.pools
            for one in self._coordinator.standing(pool)
        }
        found = []
        for key, seen in sorted(self.seen.items()):
            report, standing = seen.report, health.get(key)
            age = now - report.at if report is not None else None
            found.append(
                {
                    "pool": seen.pool,
                    "replica": seen.replica,
                    "reachable": seen.reachable,
                    "problem": seen.problem,
                    "health": standing.health if standing is not None else None,
                    "in_flight": standing.running if standing is not None else None,
                    "scrapes_failed": seen.failures,
                    "known_from": seen.asking.source,
                    "engine": seen.reading.engine,
                    "age_ms": age // 1000 if age is not None else None,
                    "stale": age is not None and age > STALE_AFTER,
                    "running": report.running if report else None,
                    "waiting": report.waiting if report else None,
                    "kv_used_ppm": report.kv_used_ppm if report else None,
                    "kv_capacity": report.kv_capacity if report else None,
                    "prompt_tokens_queried": seen.reading.queried_tokens,
                    "prompt_tokens_cached": seen.reading.cached_tokens,
                    "adapters_in_use": sorted(report.adapters) if report else [],
                    "adapters_loaded": sorted(report.loaded) if report else [],
                    "doubts": list(seen.reading.doubts),
                }
            )
        return found

    def _ask(self, key: tuple[str, str]) -> None:
        adapters = self._served[key[0]].adapters
        path = self.seen[key].asking.next(self._clock.now(), adapters=adapters)
        if path == MODELS and self._has_work(key):
            return  # some end what they are doing when they are asked for their models
        self._busy[key] = Scrape(self, key, self._replicas.pool(key[1]), path)

    def _has_work(self, key: tuple[str, str]) -> bool:
        """Whether it has no page, and requests of ours: their answers tell how it is, and there are servers
        that do one thing at a time."""
        return self.seen[key].asking.source != "metrics" and self._coordinator.busy(*key)

    def _follow(self, program: Program) -> None:
        """Note what pools are. A pool whose engine changed is asked anew."""
        self._program = program
        models = {one.name: one for one in program.records.models}
        served = {
            one.name: Served(one.engine, models[one.model].served_name, bool(models[one.model].adapters))
            for one in program.records.pools
        }
        for key in list(self.seen):
            if key[0] in served and served[key[0]].engine != self._served[key[0]].engine:
                del self.seen[key]
        self._served = served

    def _found(self, seen: Seen, alive: bool, problem: str | None) -> None:
        if seen.reachable is not alive:
            word = "replica_reachable" if alive else "replica_unreachable"
            said = {"message": problem} if problem else {}
            log(word, pool=seen.pool, replica=seen.replica, **said)
        seen.reachable, seen.problem = alive, problem
        seen.failures = 0 if alive else seen.failures + 1
        report = None
        if alive:
            reading = seen.reading if seen.asking.source == "metrics" else None
            report = seen.report = report_of(reading, seen.asking.listing, self._clock.now())
        self._coordinator.observe(seen.pool, seen.replica, report)


class Scrape:
    """One GET."""

    __slots__ = (
        "_connecting",
        "_key",
        "_observer",
        "_over",
        "_parts",
        "_path",
        "_pool",
        "_size",
        "_status",
        "_upstream",
        "begun",
    )

    def __init__(self, observer: Observer, key: tuple[str, str], pool: ReplicaPool, path: str) -> None:
        self._observer = observer
        self._key = key
        self._pool = pool
        self._path = path
        self.begun = observer.now()
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
        self._status = 200
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
        self._end(b"".join(self._parts))

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
        upstream.send(self, b"%b%b\r\n" % (self._pool.question(self._path), shown), b"")

    def _end(self, body: bytes | None) -> None:
        if not self._over:
            self._over = True
            self._observer.ended(self._key, self._status, body)
