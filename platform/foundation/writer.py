"""Who writes what gateways report? One thread, one transaction for everything of a quarter second.

An event loop must not touch the database, and a transaction for each report would make reports wait
for the disk one by one. What is submitted and not yet written is lost with the process: submit only
what its sender repeats.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.db import connection, transaction

log = logging.getLogger(__name__)

PERIOD = 0.25
"""Seconds that reports are gathered before they are written together."""
Write = Callable[[], object]


class Writer:
    """Runs writes in the order submitted, many in one transaction."""

    def __init__(self, period: float = PERIOD) -> None:
        self._period = period
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Write what was submitted, then end."""
        self._queue.put(None)
        self._thread.join(timeout)

    def submit(self, write: Write) -> None:
        """From any thread or loop; never blocks."""
        self._queue.put(write)

    def _run(self) -> None:
        try:
            open_ = True
            while open_:
                first = self._queue.get()
                if first is None:
                    return
                batch, open_ = self._gather(first)
                self._write(batch)
        finally:
            connection.close()

    def _gather(self, first: Write) -> tuple[list[Write], bool]:
        """Everything that comes within one period of ``first``; whether there is to be more."""
        threading.Event().wait(self._period)
        batch = [first]
        while True:
            try:
                write = self._queue.get_nowait()
            except Empty:
                return batch, True
            if write is None:
                return batch, False
            batch.append(write)

    def _write(self, batch: list[Write]) -> None:
        """All together; if that fails, one by one, so that a bad one takes no good one along."""
        try:
            with transaction.atomic():
                for write in batch:
                    write()
        except Exception:
            log.exception("writer.batch_failed size=%s", len(batch))
            connection.close()
            if len(batch) > 1:
                for write in batch:
                    self._write([write])
