"""Does another ``headway up`` use this state folder?

The kernel drops a flock with its process, however it ended: a lock left by a killed run is no lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headway.up.trouble import CannotStart

NAME = "up.lock"


@contextmanager
def held(var: Path) -> Iterator[None]:
    """Hold the lock of the state folder ``var``; ``CannotStart`` with the holder's pid if it is taken.

    The file stays: removing it would let two processes hold locks on two files of one name.
    """
    descriptor = os.open(var / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
            raise CannotStart(
                f"headway already runs with the state folder {var} (process {holder}). "
                "Stop it first, or give this one its own folder with --var DIR and other ports."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
