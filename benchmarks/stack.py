"""How are Headway's own processes started for a measurement?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import policy
from benchmarks.processes import running, wait_for_file
from coordination.bundle import directory as directories
from coordination.bundle.verification import ENVELOPE_FILE, TAR_FILE

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
def gateway(
    state: Path, folder: Path, cores: set[int] | None = None, *, record: bool = False, workers: int = 1
) -> Iterator[Served]:
    """``headway gateway`` under the policy in ``state``, on free ports, serving when the block begins.

    ``record``: every attempt is put on record, in a folder of the gateway's own, as one that follows a
    console does.
    """
    ready, log = _files(folder, "gateway")
    command = [sys.executable, "-m", "headway", "gateway", "--host", LOOPBACK]
    command += ["--port", "0", "--admin-port", "0", "--ready-file", str(ready)]
    command += ["--workers", str(workers)]
    command += _with_record(state, ready.with_suffix(".own")) if record else ["--state", str(state)]
    with running(command, log=log, cores=cores) as process:
        told = json.loads(wait_for_file(ready, process, log))
        yield Served(process, f"http://{LOOPBACK}:{told['port']}", f"http://{LOOPBACK}:{told['admin_port']}")


def _with_record(state: Path, own: Path) -> list[str]:
    """Options that give a gateway the same policy as files, and a folder it may write to."""
    own.mkdir()
    bundle = own / TAR_FILE
    shutil.copy(state / TAR_FILE, bundle)
    shutil.copy(state / ENVELOPE_FILE, bundle.with_name(bundle.name + ".dsse.json"))
    key, directory = state / policy.SIGNER_FILE, state / directories.FILE
    options = ["--bundle", str(bundle), "--key", str(key), "--directory", str(directory)]
    return [*options, "--state", str(own)]


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
def upstream(
    listeners: int, folder: Path, cores: set[int] | None = None, *, events: int = 0, event_ms: float = 1.0
) -> Iterator[list[str]]:
    """The engine that answers at once, or in so many events, on free ports."""
    ready, log = _files(folder, "upstream")
    command = [sys.executable, "-m", "benchmarks.upstream", "--listeners", str(listeners)]
    command += ["--events", str(events), "--event-ms", str(event_ms)]
    with running([*command, "--ready-file", str(ready)], log=log, cores=cores) as process:
        yield list(json.loads(wait_for_file(ready, process, log))["urls"])


@contextmanager
def passthrough(upstreams: Sequence[str], folder: Path, cores: set[int] | None = None) -> Iterator[Served]:
    """The proxy that does nothing, on a free port."""
    ready, log = _files(folder, "passthrough")
    command = [sys.executable, "-m", "benchmarks.passthrough", "--upstreams", *upstreams]
    with running([*command, "--ready-file", str(ready)], log=log, cores=cores) as process:
        yield Served(process, f"http://{LOOPBACK}:{json.loads(wait_for_file(ready, process, log))['port']}")


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    number = next(_COUNTER)
    return folder / f"{name}-{number}.ready", folder / f"{name}-{number}.log"
