"""Workers without processes: on the test's own loop, over the sockets a process would have."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from typing import Any

from gateway.workers.policy import Receiver
from gateway.workers.worker import Worker
from tests.gateway.running import gateway


class Inside:
    """One worker, as ``gateway.workers.processes.Process``."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.pid = number
        self.loop = loop
        self.worker: Worker | None = None
        self.killed = False

    async def serve(self, *given: Any) -> None:
        self.worker = Worker(*given)
        await self.worker.start()

    def kill(self) -> None:
        """Its sockets close, whatever was on its way; none of its own code runs."""
        if self.killed or self.worker is None or self.worker.ended.is_set():
            return
        self.killed = True
        worker = self.worker
        worker._link.close()
        for connection in list(worker.data.connections):
            connection.transport.abort()
        worker.over()

    def wait(self) -> int:
        return -9 if self.killed else 0


class Insides:
    """Starts them; ``workers`` are those that were ever started, in order."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.started: list[Inside] = []

    @property
    def workers(self) -> list[Worker]:
        return [
            one.worker for one in self.started if one.worker is not None and not one.worker.ended.is_set()
        ]

    def __call__(self, link: socket.socket, pipe: socket.socket, listening: socket.socket) -> Inside:
        made = Inside(len(self.started), self.loop)
        self.started.append(made)
        given = link.dup(), pipe.dup(), listening.dup()
        threading.Thread(target=self._feed, args=(made, *given), daemon=True).start()
        return made

    def _feed(self, made: Inside, link: socket.socket, pipe: socket.socket, listening: socket.socket) -> None:
        """What its process does until it serves, and what the thread does that waits for policies."""
        with pipe:
            receiver = Receiver(pipe)
            try:
                opening, first = receiver.opening(), receiver.next()
                serve = made.serve(opening, first, link, listening)
                asyncio.run_coroutine_threadsafe(serve, self.loop).result(20)
                while made.worker is not None:
                    self.loop.call_soon_threadsafe(made.worker.prepared, *receiver.next())
            except EOFError:
                pass


@asynccontextmanager
async def crew(folder, urls, *, workers=2, options=None, **rest):
    """A gateway and its workers; gives both."""
    insides = Insides()
    options = {"workers": workers} | (options or {})
    async with gateway(folder, urls, options=options, launch=insides, **rest) as process:
        yield process, insides
