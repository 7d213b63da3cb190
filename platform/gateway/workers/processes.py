"""How is a worker's process started, ended and waited for?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import gateway

PLATFORM = Path(gateway.__file__).parent.parent


class Process(Protocol):
    """One started worker."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None:
        """End it without a word; nothing happens if it has ended."""

    def wait(self) -> int:
        """Blocking: until it has ended; its exit code, below 0 the signal that ended it."""


class Launch(Protocol):
    def __call__(self, link: socket.socket, pipe: socket.socket, listening: socket.socket, /) -> Process:
        """Blocking. The process has the three; they stay open here as well."""


def launch(link: socket.socket, pipe: socket.socket, listening: socket.socket) -> Process:
    """``python -m gateway.workers.child``, in this process's group: a signal to the group ends both."""
    given = [link.fileno(), pipe.fileno(), listening.fileno()]
    paths = [str(PLATFORM), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "gateway.workers.child", *map(str, given)],
        stdin=subprocess.DEVNULL,
        pass_fds=given,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
