"""How is a child process asked to simulate, listened to, and ended?"""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import msgspec

from simulations.job import Failed, Job, Told, told_decoder

SOURCE = Path(__file__).resolve().parents[1]
ENDED_WITHIN = 5.0
"""Seconds after which a killed process that is still there is somebody else's problem."""


class Child:
    """One simulation, running. Leaving the context ends it, whatever state it is in."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._said: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self.began = time.monotonic()

    def __enter__(self) -> Child:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulations.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=SOURCE,
            start_new_session=True,  # a terminal's Ctrl-C is the parent's to act on
        )
        threading.Thread(target=self._listen, name="simulation-child", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        try:
            self._process.wait(ENDED_WITHIN)
        finally:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()

    def hear(self, seconds: float) -> Told | None:
        """The next word; None if there is none for so long. A child that ends without its last word has
        failed, and that is a word too."""
        try:
            told = self._said.get(timeout=seconds)
        except queue.Empty:
            return None
        return self._died() if told is None else told

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def _listen(self) -> None:
        """Give the job, then pass on what is said. None is the end."""
        out, into = self._process.stdout, self._process.stdin
        assert out is not None  # noqa: S101  both are pipes
        assert into is not None  # noqa: S101
        try:
            into.write(msgspec.json.encode(self._job) + b"\n")
            into.flush()
            for line in out:
                self._said.put(told_decoder.decode(line))
        except (OSError, ValueError, msgspec.DecodeError):
            self.kill()
        self._said.put(None)

    def _died(self) -> Failed:
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Failed("child_died", f"The process that simulates ended by {how}.")
