"""What runs beside the pages in one web process? Started and stopped with the ASGI lifespan.

Always: the delivery board, the writers of gateways' reports and of usage, the live hub, a drainer that a
commit wakes. Embedded (no ``REDIS_URL``): a Celery worker and beat too, and the lock that keeps a second web
process out.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import threading
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection

from delivery import notice
from delivery.board import Board
from delivery.endpoints import DeliveryApplication
from delivery.enrolments import enroll
from delivery.posting import DatabaseArchive, read_posting
from delivery.statuses import now_us, record
from foundation import outbox
from foundation.offload import OFFLOAD
from foundation.outbox.drainer import Drainer
from foundation.writer import Writer
from headway import celery as _celery  # noqa: F401 - what this process sends must go to our broker
from ledger.intake import UsageIntake
from ledger.recorder import Recorder
from simulations import leases, work
from telemetry.decisions.intake import DecisionsIntake
from telemetry.ingest.intake import TelemetryIntake
from telemetry.live import notice as live_notice
from telemetry.live import running
from telemetry.live.application import LiveApplication
from telemetry.live.hub import Hub
from telemetry.live.messages import Message
from telemetry.live.relay import Alone, OverRedis, Relay

log = logging.getLogger(__name__)


class SecondWebProcess(RuntimeError):
    """Two web processes need Redis between them."""


class Background:
    """The parts, wired together."""

    def __init__(self) -> None:
        self.board = Board(read_posting)
        self.writer = Writer()
        self.recorder = Recorder()
        self.drainer = Drainer()
        self.hub = Hub()
        self.relay: Relay = (
            OverRedis(self.hub.take, settings.REDIS_URL, settings.REDIS_PREFIX)
            if settings.REDIS_URL
            else Alone(self.hub.take)
        )
        self.live = LiveApplication(self.hub)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._showing: set[asyncio.Task[None]] = set()
        self.delivery = DeliveryApplication(
            self.board,
            DatabaseArchive(),
            enroll,
            lambda gateway, status: self._report(gateway, status),
            {
                "usage": UsageIntake(self.recorder, now_us),
                "decisions": DecisionsIntake(self.writer, now_us, self.relay.show),
                "telemetry": TelemetryIntake(self.writer, self.relay.show, now_us),
            },
        )
        self._workers: list[Any] = []
        self._lock: int | None = None

    def _report(self, gateway: str, status: Any) -> None:
        received = now_us()
        self.writer.submit(lambda: record(gateway, status, received))

    def _tell(self, message: Message) -> None:
        """From any thread: let every hub know."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._show, message)

    def _show(self, message: Message) -> None:
        task = asyncio.ensure_future(self.relay.show(message))
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        embedded = not settings.REDIS_URL
        if embedded:
            self._lock = _only_one()
            # What a killed process had begun is begun again now, not when its lease has run out.
            await sync_to_async(_take_over, thread_sensitive=False)()
        OFFLOAD.start()
        work.begin()
        self.writer.start()
        self.recorder.start()
        await self.board.start()
        notice.listen(self.board.wake)
        self.drainer.start()
        await self.relay.start()
        await self.hub.start()
        running.set_hub(self.hub)
        live_notice.listen(self._tell)
        if embedded:
            self._workers = await asyncio.to_thread(start_celery)

    def release(self) -> None:
        """Let everybody go who waits for news: the process is about to stop."""
        self.board.release()
        self.hub.release()

    async def stop(self) -> None:
        live_notice.forget(self._tell)
        running.set_hub(None)
        await self.hub.stop()
        await self.relay.stop()
        notice.forget(self.board.wake)
        await self.board.stop()
        work.stop()  # whoever simulates gives its run back, and its worker can stop
        for worker in self._workers:
            worker.stop()
        self.drainer.stop(timeout=1.0)
        self.writer.stop(timeout=1.0)
        self.recorder.stop(timeout=1.0)
        OFFLOAD.stop()
        if self._lock is not None:
            os.close(self._lock)


def _take_over() -> None:
    try:
        outbox.take_over()
        leases.take_over()
    finally:
        connection.close()


def _only_one() -> int:
    """A lock held while this process lives. Raises ``SecondWebProcess``."""
    path = settings.VAR / "web.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SecondWebProcess(
            f"another web process serves from {settings.VAR}; set REDIS_URL to run more than one"
        ) from None
    return handle


def start_celery() -> list[Any]:
    """Two workers with a thread each, and beat; all in threads of this process, stopped by ``stop()``.

    What takes minutes has a worker of its own: what must happen each second waits for nobody.
    """
    from celery.beat import Scheduler, Service

    from headway.celery import QUEUE_OF_SIMULATIONS, app, application

    # A line for each of a dozen sweeps a minute would bury what matters.
    logging.getLogger("celery").setLevel(logging.WARNING)
    workers = [_worker(app), _worker(application(QUEUE_OF_SIMULATIONS))]
    beat = Service(app, scheduler_cls=Scheduler)
    threading.Thread(
        target=beat.start, kwargs={"embedded_process": True}, name="celery-beat", daemon=True
    ).start()
    return [*workers, beat]


def _worker(app: Any) -> Any:
    from celery.worker import WorkController

    name = f"{app.conf.task_default_queue}@{socket.gethostname()}"
    worker = WorkController(
        app=app,
        pool="threads",
        concurrency=1,
        hostname=name,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    threading.Thread(target=worker.start, name=name, daemon=True).start()
    return worker
