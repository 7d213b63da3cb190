"""``python -m simulations.child``: one simulation in a process of its own, and nothing of the console in it.

It uses a processor for as long as it takes, so it is nicer than the pages; its memory is limited, so that a
trace nobody can serve takes this process down and no other; and it ends when its parent does, even if that
was killed.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from typing import BinaryIO

import msgspec

import compiled

compiled.stand_in()  # before any module that was compiled is imported

from coordination.simulator import WorkloadError, calm_collector
from coordination.simulator.searching import SearchError
from coordination.traces import TraceError
from simulations.job import Failed, Job, Progress, Report, Told, work

TELL_EVERY = 0.2
"""Seconds between two words of progress."""
NICER = 10


class Voice:
    """Lines to the parent."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._next = 0.0

    def say(self, told: Told) -> None:
        self._out.write(msgspec.json.encode(told) + b"\n")
        self._out.flush()

    def progress(self, arrived: int, simulated_us: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + TELL_EVERY
            self.say(Progress(arrived, simulated_us))


def main() -> int:
    voice = Voice(sys.stdout.buffer)
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICER)
    if job.memory_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (job.memory_bytes, job.memory_bytes))
    try:
        with calm_collector():
            report = work(job, voice.progress)
        voice.say(Report(report))
    except (TraceError, WorkloadError) as error:
        voice.say(Failed("unreadable_trace", _without_path(str(error), job.trace)))
    except SearchError as error:
        voice.say(Failed("bad_value", str(error)))
    except MemoryError:
        gc.collect()
        megabytes = job.memory_bytes // 1024**2
        voice.say(Failed("out_of_memory", f"it needed more than {megabytes} MB: simulate fewer requests"))
    return 0


def _without_path(said: str, trace: str) -> str:
    """Where the console keeps its files is nobody's business."""
    return said.replace(trace, "the trace")


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not the buffered reader: its lock would be held while the interpreter ends
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
