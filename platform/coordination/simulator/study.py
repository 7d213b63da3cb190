"""Which simulation is this, exactly? A value to be run here or in another process, and its digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import orjson

from coordination.capacity.profile_file import profile_digest
from coordination.program.canonical import canonical_bytes
from coordination.program.index import load
from coordination.program.records import Micros, ProgramRecords
from coordination.simulator.generator import generate, read_workload
from coordination.simulator.loop import Simulation
from coordination.simulator.promises import Promise, verdicts
from coordination.simulator.report import report
from coordination.simulator.settings import Mix, Settings
from coordination.simulator.workload import Arrival, from_trace
from coordination.traces import read_trace


@dataclass(frozen=True, slots=True)
class Study:
    """One policy under one trace. Equal studies give equal reports."""

    records: ProgramRecords
    trace: Path
    """Recorded (Mooncake JSONL, Azure CSV), or a ``.json`` that describes traffic to be drawn."""
    mix: Mix
    speed: float = 1.0
    limit: int | None = None
    """Requests to take; None is all."""
    settings: Settings = field(default_factory=Settings)
    objectives: tuple[Promise, ...] = ()
    """What the policy's tiers promise."""
    gates: tuple[Promise, ...] = ()
    """What its author says must come of it."""

    def with_seed(self, seed: int) -> Study:
        return replace(self, settings=replace(self.settings, seed=seed))

    def arrivals(self) -> Iterator[Arrival]:
        """Raises ``TraceError`` as it goes, or ``WorkloadError``."""
        seed = self.settings.seed
        found: Iterator[Arrival]
        if self.trace.suffix == ".json":
            workload = read_workload(self.trace.read_bytes())
            found = generate(workload, model=self.mix.model, seed=seed, speed=self.speed)
        else:
            found = from_trace(read_trace(self.trace), self.mix, speed=self.speed, seed=seed)
        return islice(found, self.limit)


def simulate(study: Study, progress: Callable[[int, Micros], None] | None = None) -> dict[str, Any]:
    """The report. Raises ``TraceError`` at the trace's first bad record, or ``WorkloadError``."""
    lengths = {one.length for one in (*study.objectives, *study.gates) if one.length is not None}
    simulation = Simulation(load(study.records), study.arrivals(), study.settings, lengths)
    found = report(simulation.run(progress), inputs(study))
    found["objectives"] = verdicts(study.objectives, simulation.tally, simulation.program)
    found["gates"] = verdicts(study.gates, simulation.tally, simulation.program)
    return found


def inputs(study: Study) -> dict[str, Any]:
    """Everything the result is a function of, large things by their SHA-256."""
    named: dict[str, Any] = {
        "policy": digest_of(study.records),
        "trace": file_digest(study.trace),
        "limit": study.limit,
        "mix": [[one.tenant, one.service_tier, one.weight] for one in study.mix.clients],
        "model": study.mix.model,
        "speed": study.speed,
        "seed": study.settings.seed,
        "host_tokens": study.settings.host_tokens,
        "profiles": {pool: profile_digest(profile) for pool, profile in study.settings.profiles},
        "start": study.records.at if study.settings.start is None else study.settings.start,
    }
    whole = hashlib.sha256(orjson.dumps(named, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {**named, "digest": f"sha256:{whole}"}


def digest_of(records: ProgramRecords) -> str:
    """Of a compiled policy, whatever file it came from."""
    return f"sha256:{hashlib.sha256(canonical_bytes(msgspec.to_builtins(records))).hexdigest()}"


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
