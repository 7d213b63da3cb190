"""How does a child learn that its supervisor is gone? By a pipe that only the supervisor holds open.

``python -m headway.up.leash FD MODULE [ARGUMENT ...]`` runs MODULE as ``python -m`` would, and ends
the whole process group when FD reaches its end: even after ``kill -9`` of the supervisor, which can
tell nobody anything.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE = 2.0
"""Seconds between asking this process to end and ending its whole group."""


def hold(descriptor: int) -> None:
    """Watch ``descriptor`` from a thread; at its end SIGTERM, then SIGKILL, to this process's group."""
    threading.Thread(target=_wait_and_end, args=(descriptor,), name="leash", daemon=True).start()


def _wait_and_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    if os.getpgrp() != os.getpid():
        os.kill(os.getpid(), signal.SIGKILL)  # started by hand: the group is somebody else's
    os.killpg(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(os.getpid(), signal.SIGKILL)


def main() -> None:
    descriptor, module = int(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    hold(descriptor)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
