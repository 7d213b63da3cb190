"""Where does work go that would hold the interpreter for long? To one child, started beforehand.

A busy thread would take the event loop's processor time with it; a child started only when needed
would cost the imports each time. Without a started pool (a command, a test) the work is done at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")
PARENT_LOOKED_FOR = 0.5
"""Seconds between the child's looks whether its parent still lives."""


class Offload:
    """One warm child process. What it runs must be an importable function of picklable values."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._guard = threading.Lock()

    def start(self) -> None:
        """Begin starting the child; returns at once."""
        with self._guard:
            if self._pool is None:
                self._pool = _new_pool()
                self._pool.submit(_warm_up)

    def stop(self) -> None:
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """``function(*arguments)`` in the child; again in a new child if that one was killed."""
        for _ in range(2):
            pool = self._pool
            if pool is None:
                break
            try:
                return pool.submit(function, *arguments).result()
            except BrokenProcessPool:
                with self._guard:
                    if self._pool is pool:
                        self._pool = _new_pool()
        return function(*arguments)


OFFLOAD = Offload()
"""This process's child."""


def _new_pool() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_begin)


def _begin() -> None:
    """The child leaves the terminal's signal to its parent, and ends when that does, even if killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_LOOKED_FOR)
    os._exit(0)


def _warm_up() -> None:
    """Import what builds need before the first one asks."""
    import coordination.bundle.pack
    import coordination.compiler

    del coordination
