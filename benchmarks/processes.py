"""How is a process under test started on its core, measured and ended?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT

TICKS = os.sysconf("SC_CLK_TCK")
STOP_S = 10.0


class DidNotStart(Exception):
    """A process ended or stayed silent before it served; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process and its children have used so far."""

    cpu_s: float
    rss_mb: float


@contextmanager
def running(
    arguments: Sequence[str],
    *,
    log: Path,
    cores: set[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own for the length of a block; its output goes to ``log``."""
    _leave_nothing_behind()
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )
    try:
        yield process
    finally:
        end(process)


def _leave_nothing_behind() -> None:
    """Let SIGTERM leave every block that is open, as Ctrl-C does, where nobody has another use for it."""
    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and whatever it started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def wait_for_file(path: Path, process: subprocess.Popen[bytes], log: Path, patience_s: float = 60.0) -> bytes:
    """The content of a file the process writes once it serves."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if path.exists() and (data := path.read_bytes()):
            return data
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise DidNotStart(f"{' '.join(map(str, process.args))}\n{last_words(log)}")  # type: ignore[arg-type]


def last_words(log: Path, lines: int = 15) -> str:
    """The end of a process's output."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def spent(pid: int) -> Spent:
    """Processor seconds and resident memory of a process and its descendants, from ``/proc``."""
    cpu = 0.0
    rss = 0.0
    for member in _family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(") ")[2].split()
            pages = int(Path(f"/proc/{member}/statm").read_text().split()[1])
        except FileNotFoundError:
            continue  # ended since it was listed
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        rss += pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return Spent(cpu, rss)


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            members += [int(child) for child in children.read_text().split()]
    return members
