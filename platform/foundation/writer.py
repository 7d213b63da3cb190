"""Who writes what gateways report? One thread, one transaction for everything of a quarter second.

An event loop must not touch the database, and a transaction for each report would make reports wait
for the disk one by one. What is submitted and not yet written is lost with the process: submit only
what its sender repeats, or answer the sender when the write is known to be done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from django.db import connection, transaction

log = logging.getLogger(__name__)

PERIOD = 0.25
"""Seconds that reports are gathered before they are written together."""
Write = Callable[[], object]
_Entry = tuple[Write, "Future[None]"]


class Writer:
    """Runs writes in the order submitted, many in one transaction."""

    def __init__(self, period: float = PERIOD) -> None:
        self._period = period
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Write what was submitted, then end."""
        self._queue.put(None)
        self._thread.join(timeout)

    def submit(self, write: Write) -> Future[None]:
        """From any thread or loop; never blocks. Done after the commit, or with what went wrong."""
        written: Future[None] = Future()
        self._queue.put((write, written))
        return written

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

    def _gather(self, first: _Entry) -> tuple[list[_Entry], bool]:
        """Everything that comes within one period of ``first``; whether there is to be more."""
        threading.Event().wait(self._period)
        batch = [first]
        while True:
            try:
                entry = self._queue.get_nowait()
            except Empty:
                return batch, True
            if entry is None:
                return batch, False
            batch.append(entry)

    def _write(self, batch: list[_Entry]) -> None:
        """All together; if that fails, one by one, so that a bad one takes no good one along."""
        try:
            with transaction.atomic():
                for write, _ in batch:
                    write()
        except Exception as error:
            log.exception("writer.batch_failed size=%s", len(batch))
            connection.close()
            if len(batch) == 1:
                if batch[0][1].set_running_or_notify_cancel():
                    batch[0][1].set_exception(error)
            else:
                for entry in batch:
                    self._write([entry])
        else:
            for _, written in batch:
                if written.set_running_or_notify_cancel():
                    written.set_result(None)
