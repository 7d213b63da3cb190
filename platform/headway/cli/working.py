"""How does a command that takes long show that it works? On a terminal, and only once it does take long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from headway.cli.terminal import wants_progress

PATIENCE = 0.5
"""Seconds: most commands have answered by then."""
PAUSE = 0.2


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says ``what`` and for how long, on stderr, for the length of a block; nothing is left of it after."""
    if not wants_progress():
        yield
        return
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, ended), daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _tell(what: str, ended: threading.Event) -> None:
    began = time.monotonic()
    if ended.wait(PATIENCE):
        return
    while True:
        print(f"\r{what}, {time.monotonic() - began:.0f} s\033[K", end="", file=sys.stderr, flush=True)
        if ended.wait(PAUSE):
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            return
