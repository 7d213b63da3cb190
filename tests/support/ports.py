"""Which port is free for a server that a test starts as a process?"""

from __future__ import annotations

import os
import random
import socket

FIRST, LAST = 20_000, 32_000
"""Below the range from which systems take ports for outgoing connections: what was free a moment ago would
else be gone to one of those by the time the server binds it."""
_CHOICE = random.Random(os.getpid())


def free_port() -> int:
    """Of 127.0.0.1; another is given at each call."""
    for _ in range(200):
        port = _CHOICE.randrange(FIRST, LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")
