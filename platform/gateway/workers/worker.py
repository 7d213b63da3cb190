"""What is one worker made of? A data plane whose rules are its parent's."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from gateway.activation import Active
from gateway.blocks import Blocks
from gateway.clock import PolicyClock
from gateway.data_plane import DataPlane
from gateway.downstream.listener import Listener
from gateway.explanations import Explanations
from gateway.log import log
from gateway.tls import Certificate, trust
from gateway.upstream.pool import Replicas
from gateway.workers.link import Link
from gateway.workers.messages import (
    Blocked,
    Drain,
    FromParent,
    Hedged,
    Ping,
    Placed,
    Prepared,
    Ready,
    Report,
    Switch,
    Switched,
    Turned,
    from_parent,
)
from gateway.workers.policy import Opening
from gateway.workers.remote import Remote, RemoteMetrics

TEND_SECONDS = 1.0
"""Between looks at idle connections to replicas, and at the keys shown to them."""
FORGET_SECONDS = 600.0
LAST_BYTES = 0.2
"""Seconds for the last bytes of answers that a stop has ended."""


class Worker:
    """One worker on the running loop, from its first policy to its end."""

    def __init__(
        self,
        opening: Opening,
        first: tuple[int, Active],
        link: socket.socket,
        listening: socket.socket,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``link``: to the parent. ``listening``: bound by it. ``tls``: whom to believe on https replicas.

        Raises ``TlsUnusable``.
        """
        self._loop = asyncio.get_running_loop()
        self._number, active = first
        self._prepared: dict[int, Active] = {}
        self._sock = listening
        self._timer: asyncio.TimerHandle | None = None
        self._forget_at = 0.0
        self._link: Link[FromParent] = Link(link, from_parent, self._hear, self.over)
        self.ended = asyncio.Event()
        """Nothing is served any more, and all is said."""
        certificate = None
        if opening.tls_cert is not None and opening.tls_key is not None:
            certificate = Certificate(Path(opening.tls_cert), Path(opening.tls_key))
        self._certificate = certificate
        if tls is None and opening.replica_ca is not None:
            tls = trust(Path(opening.replica_ca))
        self.remote = Remote(active, opening.salt, self._link)
        self._replicas = Replicas(tls)
        self.plane = DataPlane(
            self.remote,
            self._replicas,
            PolicyClock(opening.offset),
            self.remote,
            region=opening.region,
        )
        self.plane.metrics = RemoteMetrics(self.remote)
        self.plane.explanations = Explanations(0, 0)
        self.plane.credentials.follow(active.program)
        self.data = Listener(self.plane, tls=certificate.context if certificate is not None else None)

    async def start(self) -> None:
        await self.data.listen(self._sock)
        self.plane.start()
        if self._certificate is not None:
            self._certificate.start()
        self._tend()
        self._link.send(Ready(self._number))

    def prepared(self, number: int, active: Active) -> None:
        """A policy is loaded; the parent says when it is served by."""
        self._prepared[number] = active
        self._link.send(Prepared(number))

    def over(self) -> None:
        """The parent is gone, or this worker has drained: stop at once."""
        if self._timer is not None:
            self._timer.cancel()
        self.data.close()
        self.plane.close()
        self._replicas.close()
        if self._certificate is not None:
            self._certificate.close()
        self._link.flush()
        self._link.close()
        self.ended.set()

    # -- inside --------------------------------------------------------------------------------

    def _hear(self, message: FromParent) -> None:
        if isinstance(message, Placed | Turned | Hedged):
            self.remote.hear(message)
        elif isinstance(message, Ping):
            self._link.send(self._report())
        elif isinstance(message, Switch):
            self._switch(message.policy)
        elif isinstance(message, Blocked):
            some = message.tenants or message.keys
            self.plane.blocks = Blocks(message.tenants, message.keys) if some else None
        elif isinstance(message, Drain):
            self._draining = self._loop.create_task(self._drain(message.seconds), name="drain")

    def _switch(self, number: int) -> None:
        """From here on everything is classified by it: what was asked before, the parent had before."""
        active = self._prepared.pop(number)
        self._prepared = {}
        self._number = number
        self.plane.credentials.follow(active.program)
        self.remote.activate(active)
        self._link.send(Switched(number))

    async def _drain(self, seconds: float) -> None:
        self.data.stop_accepting()
        try:
            await asyncio.wait_for(self.data.emptied(), seconds)
        except TimeoutError:
            log("worker_cuts_off", connections=len(self.data.connections))
        self.data.close()
        with suppress(TimeoutError):  # what that ends is told, and its last bytes are sent
            await asyncio.wait_for(self.data.emptied(), LAST_BYTES)
        self._link.send(self._report())
        self.over()

    def _tend(self) -> None:
        self._timer = self._loop.call_later(TEND_SECONDS, self._tend)
        now = self._loop.time()
        self._replicas.expire(now)
        if now >= self._forget_at:
            # Which replicas there are is the parent's to know: those unheard of for so long are let go.
            self._replicas.retain(self.remote.used)
            self.remote.used = set()
            self._forget_at = now + FORGET_SECONDS
        self.plane.credentials.follow(self.remote.program)

    def _report(self) -> Report:
        used = resource.getrusage(resource.RUSAGE_SELF)
        metrics = self.plane.metrics
        return Report(
            connections=len(self.data.connections),
            usage_disbelieved=metrics.usage_disbelieved,
            cpu_us=round((used.ru_utime + used.ru_stime) * 1e6),
            rss_bytes=used.ru_maxrss * 1024,
            streams=metrics.meter.take(),
        )
