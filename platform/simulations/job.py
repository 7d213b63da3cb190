"""What does a child process need to know to simulate, and what does it say? No Django on this side.

The parent writes one line of JSON, a ``Job``, and keeps the pipe open: its end is the parent's. The child
writes a line for each ``Told``, the last of them ``Report`` or ``Failed``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from coordination.capacity import Profile
from coordination.program.records import ProgramRecords
from coordination.simulator import Client, Mix, Promise, Settings, Study, carried_by, simulate
from coordination.simulator.searching import turned


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run, whole."""

    policy: ProgramRecords
    trace: str
    """Path of the file. Its suffix says whether it is recorded or to be drawn."""
    model: str
    mix: tuple[tuple[str, str | None, int], ...]
    """(tenant, service tier, weight)."""
    speed: float
    seed: int
    limit: int | None = None
    host_tokens: int = 0
    replicas: dict[str, int] = {}
    profiles: dict[str, Profile] = {}
    """By pool, where its replicas are not what the policy says."""
    objectives: tuple[Promise, ...] | None = None
    """What is promised of the policy; None is what its program carries."""
    gates: tuple[Promise, ...] = ()
    knob: str = ""
    value: float | None = None
    memory_bytes: int = 0
    """Of address space the child may use; 0 is no limit."""

    def study(self) -> Study:
        """Raises ``SearchError`` for a pool or a value there is not."""
        clients = tuple(Client(*each) for each in self.mix)
        study = Study(
            self.policy,
            Path(self.trace),
            Mix(clients, self.model),
            self.speed,
            self.limit,
            Settings(self.seed, self.host_tokens, profiles=tuple(sorted(self.profiles.items()))),
            objectives=carried_by(self.policy) if self.objectives is None else self.objectives,
            gates=self.gates,
        )
        for pool, count in sorted(self.replicas.items()):
            study = turned(study, f"replicas:{pool}", count)
        if self.knob and self.value is not None:
            study = turned(study, self.knob, self.value)
        return study


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    arrived: int
    simulated_us: int


class Report(msgspec.Struct, frozen=True, tag="report"):
    report: dict[str, Any]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    code: str
    detail: str


Told = Progress | Report | Failed
told_decoder: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)


def work(job: Job, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """The report. Raises ``SearchError``, ``TraceError``, ``WorkloadError``."""
    return simulate(job.study(), progress)
