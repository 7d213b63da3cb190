"""Is this process up, and what is due when it is not? One supervised child."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

BACKOFF_FIRST = 0.25
BACKOFF_MOST = 10.0
STEADY = 30.0
"""Seconds a child must have run for its earlier failures to be forgotten."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run, and how to see that it answers."""

    name: str
    what: str
    """In words, for the progress lines."""
    module: str
    """Run as ``python -m`` would."""
    arguments: tuple[str, ...]
    answers: Callable[[], bool]
    """Does it serve its purpose now? Must return within a second or two; False while it does not."""
    address: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Child:
    """A process of ``spec``: its own session, its output in a log file, on a leash (see ``leash``).

    Times are seconds of the monotonic clock, always given by the caller.
    """

    spec: Spec
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    """When to start it next, while it does not run."""
    failures: int = 0
    """Ends in a row without having run steadily."""
    restarts: int = 0
    last_exit: int | None = None
    answered: bool = False
    """Has answered since it was last started."""
    _leash: int = -1

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def running(self) -> bool:
        return self.process is not None

    def start(self, now: float) -> None:
        """Start it; the caller has made the log's folder."""
        theirs, ours = os.pipe()
        command = [sys.executable, "-P", "-m", "headway.up.leash", str(theirs), self.spec.module]
        try:
            with self._open_log() as log:
                self.process = subprocess.Popen(
                    [*command, *self.spec.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs,),
                    start_new_session=True,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **self.spec.environment},
                )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._leash = ours
        self.started_at = now
        self.answered = False

    def _open_log(self) -> IO[bytes]:
        return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def look(self, now: float) -> bool:
        """Notice an end, and start again when that is due. True if something changed."""
        if self.process is None:
            if now < self.due_at:
                return False
            self.restarts += 1
            self.start(now)
            return True
        code = self.process.poll()
        if code is None:
            return False
        self.last_exit = code
        self._gone()
        self.failures = 1 if now - self.started_at >= STEADY else self.failures + 1
        self.due_at = now + backoff(self.failures)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child's whole group, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for it to end; True when it has."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        self._gone()
        return True

    def _gone(self) -> None:
        """The leader has ended: whatever it left in its group goes with it."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it left nothing
            os.killpg(self.process.pid, signal.SIGKILL)
        os.close(self._leash)
        self._leash = -1
        self.process = None

    def log_tail(self, lines: int = 12) -> str:
        """The last lines it wrote, for a message that says why it does not start."""
        try:
            written = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(written[-lines:])


def backoff(failures: int) -> float:
    """Seconds to wait before the next start after so many failures in a row: doubling, bounded."""
    return min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** (failures - 1))
