"""How are Headway's own processes started for a measurement?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import running, wait_for_file

LOOPBACK = "127.0.0.1"
_COUNTER = iter(range(1_000_000))


@dataclass(frozen=True, slots=True)
class Served:
    """A process that serves, and where."""

    process: subprocess.Popen[bytes]
    url: str
    admin_url: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def gateway(state: Path, folder: Path, cores: set[int] | None = None) -> Iterator[Served]:
    """``headway gateway --state`` on free ports, serving when the block begins."""
    ready, log = _files(folder, "gateway")
    command = [sys.executable, "-m", "headway", "gateway", "--state", str(state), "--host", LOOPBACK]
    command += ["--port", "0", "--admin-port", "0", "--ready-file", str(ready)]
    with running(command, log=log, cores=cores) as process:
        told = json.loads(wait_for_file(ready, process, log))
        yield Served(process, f"http://{LOOPBACK}:{told['port']}", f"http://{LOOPBACK}:{told['admin_port']}")


@dataclass(frozen=True, slots=True)
class Replicas:
    """Engines in one process, and where each serves."""

    process: subprocess.Popen[bytes]
    urls: list[str]


@contextmanager
def fleet(replicas: int, folder: Path, options: Sequence[str] = ()) -> Iterator[Replicas]:
    """``headway simfleet`` on free ports."""
    ready, log = _files(folder, "simfleet")
    command = [sys.executable, "-m", "headway", "simfleet", "--port", "0", "--replicas", str(replicas)]
    with running([*command, "--ready-file", str(ready), *options], log=log) as process:
        told = json.loads(wait_for_file(ready, process, log))
        yield Replicas(process, [replica["url"] for replica in told["replicas"]])


@contextmanager
def upstream(listeners: int, folder: Path, cores: set[int] | None = None) -> Iterator[list[str]]:
    """The engine that answers at once, on free ports."""
    ready, log = _files(folder, "upstream")
    command = [sys.executable, "-m", "benchmarks.upstream", "--listeners", str(listeners)]
    with running([*command, "--ready-file", str(ready)], log=log, cores=cores) as process:
        yield list(json.loads(wait_for_file(ready, process, log))["urls"])


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    number = next(_COUNTER)
    return folder / f"{name}-{number}.ready", folder / f"{name}-{number}.log"
