"""Who enters usage in a web process? One thread of its own, which answers only after the commit.

Apart from ``foundation.writer``: a gateway throws its copy away once it is answered, so nothing may be
answered that a power cut could take back. On SQLite this thread's connection waits for the disk at each
commit (synchronous FULL), which the others do not; what arrives meanwhile shares the next commit.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

from django.db import connection, transaction

from coordination.wire.usage import Event
from ledger.mapping import Origin
from ledger.services import Receipt, record

log = logging.getLogger(__name__)

MOST = 32
"""Batches in one commit."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    origin: Origin
    events: tuple[Event, ...]
    receipt: Future[Receipt]


class Recorder:
    """Batches in, receipts out. ``submit`` from any thread or loop."""

    def __init__(self, write: Callable[[Origin, Iterable[Event]], Receipt] = record) -> None:
        self._write = write
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger-recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Enter what was submitted, then end."""
        self._queue.put(None)
        self._thread.join(timeout)

    def submit(self, origin: Origin, events: tuple[Event, ...]) -> Future[Receipt]:
        """Its result is there once the events are on the disk; its exception says that they are not."""
        waiting = _Waiting(origin, events, Future())
        self._queue.put(waiting)
        return waiting.receipt

    def _run(self) -> None:
        try:
            open_ = True
            while open_:
                first = self._queue.get()
                if first is None:
                    return
                batch = [first]
                while open_ and len(batch) < MOST and not self._queue.empty():
                    following = self._queue.get()
                    if following is None:
                        open_ = False
                    else:
                        batch.append(following)
                self._enter(batch)
        finally:
            connection.close()

    def _enter(self, batch: list[_Waiting]) -> None:
        """All in one commit; if that fails, one by one, so that a bad one takes no good one along."""
        try:
            _wait_for_the_disk()
            with transaction.atomic():
                receipts = [self._write(waiting.origin, waiting.events) for waiting in batch]
        except Exception as error:
            log.exception("ledger.commit_failed batches=%s", len(batch))
            connection.close()
            if len(batch) == 1:
                if batch[0].receipt.set_running_or_notify_cancel():
                    batch[0].receipt.set_exception(error)
            else:
                for waiting in batch:
                    self._enter([waiting])
        else:
            for waiting, receipt in zip(batch, receipts, strict=True):
                if waiting.receipt.set_running_or_notify_cancel():  # else its sender has left
                    waiting.receipt.set_result(receipt)


def _wait_for_the_disk() -> None:
    """Outside a transaction, where the pragma counts; a new connection begins without it."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=FULL")
