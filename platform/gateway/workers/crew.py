"""Who are the workers, are they well, and do they all serve by the same policy?

Each has a seat: a socket of the shared port, bound here and kept open, so that connections that wait on it
outlive a killed worker and are accepted by the next one in that seat. A policy is loaded by all before any
switches, and is in force when all have: a request is classified and decided under one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.activation import Active
from gateway.blocks import Blocks
from gateway.downstream.listener import bound_socket
from gateway.log import log
from gateway.settings import GatewaySettings
from gateway.telemetry.meter import Meter
from gateway.workers.desk import Client, Desk
from gateway.workers.link import Link
from gateway.workers.messages import (
    Blocked,
    Drain,
    FromWorker,
    Ping,
    Prepared,
    Ready,
    Report,
    Switch,
    Switched,
    from_worker,
)
from gateway.workers.policy import ENCODE, Opening, packed, send
from gateway.workers.processes import Launch, Process, launch

PING_SECONDS = 1.0
LEASE_SECONDS = 15.0
"""A worker that says nothing for so long is ended, and what it held is given back."""
START_SECONDS = 60.0
SWITCH_SECONDS = 10.0
"""For loading a policy there is ``START_SECONDS``; turning to it is one turn of the loop."""
FIRST_PAUSE, LAST_PAUSE = 0.1, 10.0
"""Seconds before a worker is started again that did not last ``LASTING``: doubled each time."""
LASTING = 10.0


class WorkersFailed(Exception):
    """A worker did not come to serve; its own words are in the log."""


class Seat:
    """One worker's place: who sits there, if anybody, and what is known of them."""

    __slots__ = (
        "client",
        "heard_at",
        "link",
        "news",
        "pause",
        "pipe",
        "prepared",
        "process",
        "ready",
        "report",
        "sock",
        "started_at",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.process: Process | None = None
        self.link: Link[FromWorker] | None = None
        self.pipe: socket.socket | None = None
        self.client: Client | None = None
        self.ready = False
        self.prepared = 0
        """Number of the policy that was loaded last."""
        self.report: Report | None = None
        self.heard_at = 0.0
        self.started_at = 0.0
        self.pause = 0.0
        self.news = asyncio.Event()
        """It became ready, has prepared or switched, or is lost."""


class Workers:
    """All workers of a gateway; to the gateway it is what a ``Listener`` is with one process."""

    grace = 1.0
    """Seconds beyond the time to drain that the workers' own ends may take."""

    def __init__(
        self,
        settings: GatewaySettings,
        desk: Desk,
        meter: Meter,
        opening: Opening,
        active: Active,
        apply: Callable[[Active], None],
        launch: Launch = launch,
    ) -> None:
        """``apply``: put a policy into force here, once all workers serve by it."""
        self._settings = settings
        self._desk = desk
        self._meter = meter
        self._opening = opening
        self._active = self._wanted = active
        self._apply = apply
        self._launch = launch
        self._loop = asyncio.get_running_loop()
        self._seats: list[Seat] = []
        self._lock = asyncio.Lock()
        """Held while a worker starts and while a policy is changed: the one never meets the other."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()
        self._blocked = Blocked({}, {})
        self.port = 0
        self.draining = False
        self.restarts = 0
        self._cpu_us = 0
        """Of workers that have ended."""

    async def start(self, host: str, port: int) -> None:
        """Bind, start all, and wait until they serve. ``OSError`` if the port is taken; ``WorkersFailed``."""
        self._bind(host, port)
        async with self._lock:
            await asyncio.gather(*(self._fill(seat) for seat in self._seats))
        if not all(seat.ready for seat in self._seats):
            self.close()
            raise WorkersFailed("a worker process did not start")
        self._ping()

    def activate(self, active: Active) -> None:
        """Serve by ``active`` as soon as all workers can. Of several that come meanwhile, the last."""
        self._wanted = active
        if self._following is None or self._following.done():
            self._following = self._spawn(self._follow(), "policy-to-workers")

    def block(self, blocks: Blocks | None) -> None:
        """Have them refuse these from now on, and whoever takes a seat later."""
        self._blocked = (
            Blocked({}, {}) if blocks is None else Blocked(dict(blocks.tenants), dict(blocks.keys))
        )
        for seat in self._seats:
            if seat.link is not None:
                seat.link.send(self._blocked)

    def stop_accepting(self) -> None:
        """Let the workers end what they have, for as long as the settings allow."""
        self.draining = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for seat in self._seats:
            seat.sock.close()
            if seat.link is not None and seat.ready:
                seat.link.send(Drain(self._settings.drain_seconds))
            elif seat.process is not None:
                seat.process.kill()
        self._all_gone()

    async def emptied(self) -> None:
        """Wait until no worker is left."""
        await self._gone.wait()

    def close(self) -> None:
        """Whoever is left is ended, and with it what it served."""
        if not self.draining:
            self.stop_accepting()
        for seat in self._seats:
            if seat.process is not None:
                seat.process.kill()
                seat.process.wait()
            self._lost(seat, seat.client)

    # -- what is shown -------------------------------------------------------------------------

    @property
    def serving(self) -> bool:
        return not self.draining and any(seat.ready for seat in self._seats)

    @property
    def connections(self) -> int:
        """As last reported, at most a second ago."""
        return sum(seat.report.connections for seat in self._seats if seat.report is not None)

    @property
    def in_flight(self) -> int:
        clients = [seat.client for seat in self._seats if seat.client is not None]
        return sum(errand.dispatch is not None for client in clients for errand in client.errands.values())

    @property
    def used(self) -> tuple[float, int]:
        """Processor seconds of all there ever were, and bytes of those there are."""
        reports = [seat.report for seat in self._seats if seat.report is not None]
        return (self._cpu_us + sum(r.cpu_us for r in reports)) / 1e6, sum(r.rss_bytes for r in reports)

    def states(self) -> list[dict[str, Any]]:
        """For ``/readyz``."""
        return [
            {
                "pid": seat.process.pid if seat.process is not None else None,
                "serving": seat.ready,
                "connections": seat.report.connections if seat.report is not None else None,
                "requests": len(seat.client.errands) if seat.client is not None else 0,
            }
            for seat in self._seats
        ]

    def page(self) -> bytes:
        """For ``/metrics``."""
        lines: list[str] = []
        for name, kind, text, value in (
            ("headway_workers", "gauge", "Worker processes that serve.", sum(s.ready for s in self._seats)),
            ("headway_worker_restarts_total", "counter", "Workers started again.", self.restarts),
        ):
            lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value}")
        return ("\n".join(lines) + "\n").encode()

    # -- starting and ending -------------------------------------------------------------------

    def _bind(self, host: str, port: int) -> None:
        if port:
            bound_socket(host, port).close()  # a shared one would not find out who else is there
        self.port = port
        try:
            for _ in range(self._settings.workers):
                sock = bound_socket(host, self.port, shared=True)
                self.port = sock.getsockname()[1]
                self._seats.append(Seat(sock))
        except OSError:
            for seat in self._seats:
                seat.sock.close()
            raise

    async def _fill(self, seat: Seat) -> None:
        """Start a worker, give it the policy in force, and wait until it serves or has failed."""
        ours, theirs = socket.socketpair()
        pipe, its_pipe = socket.socketpair()
        try:
            process = await self._loop.run_in_executor(None, self._launch, theirs, its_pipe, seat.sock)
        except OSError as error:
            log("worker_not_started", message=str(error))
            for sock in (ours, pipe):
                sock.close()
            return
        finally:
            theirs.close()
            its_pipe.close()
        seat.process, seat.pipe = process, pipe
        seat.prepared = self._desk.policy
        seat.started_at = seat.heard_at = self._loop.time()
        client: Client

        def heard(message: FromWorker) -> None:
            self._hear(seat, client, message)

        seat.link = link = Link(ours, from_worker, heard, lambda: self._lost(seat, client))
        seat.client = client = Client(link, self._desk.policy)
        link.send(self._blocked)
        await self._tell(
            seat, lambda: [ENCODE(self._opening), *packed(self._desk.policy, self._active, None)]
        )
        await self._until(seat, client, lambda: seat.ready, START_SECONDS)

    def _lost(self, seat: Seat, client: Client | None) -> None:
        """Nobody sits there any more."""
        if client is None or seat.client is not client:
            return
        process, link, pipe = seat.process, seat.link, seat.pipe
        held = len(client.errands)
        if seat.report is not None:
            self._cpu_us += seat.report.cpu_us
        was_ready = seat.ready
        seat.process = seat.link = seat.pipe = seat.client = seat.report = None
        seat.ready = False
        seat.news.set()
        if link is not None:
            link.close()
        if pipe is not None:
            pipe.close()
        self._desk.lost(client)
        if process is not None:
            process.kill()
            self._loop.run_in_executor(None, process.wait)
        if self.draining:
            self._all_gone()
            return
        log("worker_lost", pid=process.pid if process is not None else None, requests=held)
        if was_ready:
            lasted = self._loop.time() - seat.started_at >= LASTING
            seat.pause = FIRST_PAUSE if lasted or not seat.pause else min(2 * seat.pause, LAST_PAUSE)
            self._spawn(self._refill(seat), "worker-start")

    async def _refill(self, seat: Seat) -> None:
        """Start another one, until one serves."""
        while not self.draining:
            await asyncio.sleep(seat.pause)
            async with self._lock:
                await self._fill(seat)
            if seat.ready:
                self.restarts += 1
                log("worker_started", pid=seat.process.pid if seat.process is not None else None)
                return
            seat.pause = min(2 * seat.pause, LAST_PAUSE)

    def _all_gone(self) -> None:
        if all(seat.client is None for seat in self._seats):
            self._gone.set()

    # -- what they say -------------------------------------------------------------------------

    def _hear(self, seat: Seat, client: Client, message: FromWorker) -> None:
        seat.heard_at = self._loop.time()
        if isinstance(message, Report):
            self._reported(seat, message)
        elif isinstance(message, Ready):
            seat.ready = True
            seat.news.set()
        elif isinstance(message, Prepared):
            seat.prepared = message.policy
            seat.news.set()
        elif isinstance(message, Switched):
            client.policy = message.policy
            seat.news.set()
        else:
            self._desk.hear(client, message)

    def _reported(self, seat: Seat, report: Report) -> None:
        before, seat.report = seat.report, report
        self._desk.disbelieved(report.usage_disbelieved - (before.usage_disbelieved if before else 0))
        self._meter.passed(report.streams)

    def _ping(self) -> None:
        """Ask each how it is, now and every second; end one that has said nothing for its lease."""
        self._timer = self._loop.call_later(PING_SECONDS, self._ping)
        now = self._loop.time()
        for seat in self._seats:
            if seat.link is None or not seat.ready:
                continue
            if now - seat.heard_at > LEASE_SECONDS:
                self._end(seat, "it says nothing")
            else:
                seat.link.send(Ping())

    def _end(self, seat: Seat, why: str) -> None:
        process = seat.process
        if process is not None:
            log("worker_ended", pid=process.pid, message=why)
            process.kill()  # its link ends with it

    # -- policies ------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while self._wanted is not self._active:
            async with self._lock:
                await self._change(self._wanted)

    async def _change(self, active: Active) -> None:
        before = self._active
        if active.program is before.program and active.directory is before.directory:
            self._active = active  # only how old it is has changed, which no worker needs to know
            self._apply(active)
            return
        number = self._desk.policy + 1
        frames = await self._loop.run_in_executor(None, packed, number, active, before)
        seats = [(seat, seat.client) for seat in self._seats if seat.client is not None]
        await asyncio.gather(*(self._prepare(seat, client, number, frames) for seat, client in seats))
        for seat, client in seats:
            if seat.client is client and seat.link is not None:
                seat.link.send(Switch(number))
        await asyncio.gather(
            *(
                self._until(seat, client, partial(_serves_by, client, number), SWITCH_SECONDS)
                for seat, client in seats
            )
        )
        self._active = active
        self._apply(active)
        self._desk.activated(number)

    async def _prepare(self, seat: Seat, client: Client, number: int, frames: list[bytes]) -> None:
        await self._tell(seat, lambda: frames)
        await self._until(seat, client, lambda: seat.prepared == number, START_SECONDS)

    async def _tell(self, seat: Seat, frames: Callable[[], list[bytes]]) -> None:
        pipe = seat.pipe
        if pipe is None:
            return
        # A copy of the descriptor: should the worker be lost meanwhile, ours is closed under it.
        with pipe.dup() as own:
            try:
                await self._loop.run_in_executor(None, lambda: send(own, frames()))
            except OSError as error:
                log("worker_not_told", message=str(error))

    async def _until(self, seat: Seat, client: Client, reached: Callable[[], bool], seconds: float) -> None:
        """Until the worker has come so far or is lost; one that takes too long is ended."""
        try:
            async with asyncio.timeout(seconds):
                while seat.client is client and not reached():
                    await seat.news.wait()
                    seat.news.clear()
        except TimeoutError:
            self._end(seat, "it takes too long")
            while seat.client is client:
                await seat.news.wait()
                seat.news.clear()

    def _spawn(self, work: Any, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _serves_by(client: Client, number: int) -> bool:
    return client.policy == number
