"""Who drains in a process that has no task queue? One thread: woken by commits, and by its own clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import connection

from foundation.outbox.delivery import drain
from foundation.outbox.registry import on_wake

log = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between sweeps; bounds how late an event of another process is found."""
BATCH = 100


def _nothing() -> None:
    """Not started yet: there is nobody to forget."""


class Drainer:
    """A thread that drains until it is stopped. ``stop`` waits for the handler that is running."""

    def __init__(self, period: float = PERIOD) -> None:
        self._period = period
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox-drainer", daemon=True)
        self._forget: Callable[[], None] = _nothing

    def start(self) -> None:
        self._forget = on_wake(self._wanted.set)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        self._forget()
        self._stopped.set()
        self._wanted.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._wanted.clear()
                if not self._pass():
                    self._wanted.wait(self._period)
        finally:
            connection.close()

    def _pass(self) -> bool:
        """Whether the batch was full, so that more may be waiting. A failing database is waited out."""
        try:
            drained = drain(BATCH)
        except Exception:
            log.exception("outbox.drain_failed")
            connection.close()
            return False
        return drained.done + drained.failed >= BATCH
