"""What runs right now? Asked of the processes themselves each time, never remembered."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx
import msgspec

PATIENCE = 1.0
"""Seconds the gateway gets to answer before the page says that it does not."""
AGED_MS = 3_000
"""A replica's figures older than this are shown as late; the scheduler stops trusting them then, too."""


class ReplicaSeen(msgspec.Struct, frozen=True):
    """One replica, as the gateway last saw it. ``None`` is unknown, never zero."""

    pool: str
    replica: str
    reachable: bool | None
    age_ms: int | None
    running: int | None
    waiting: int | None
    kv_used_ppm: int | None

    @property
    def state(self) -> str:
        """``ok``, ``warn`` (its figures are late), ``bad`` (unreachable) or ``unknown`` (not asked yet)."""
        if self.reachable is None:
            return "unknown"
        if not self.reachable:
            return "bad"
        return "warn" if self.age_ms is None or self.age_ms > AGED_MS else "ok"

    @property
    def kv_percent(self) -> float | None:
        return None if self.kv_used_ppm is None else self.kv_used_ppm / 10_000


class Refusal(msgspec.Struct, frozen=True):
    """Why the gateway did not take the newest policy it found."""

    code: str
    message: str


class GatewayReport(msgspec.Struct, frozen=True):
    """What the gateway's admin port says of itself (``/readyz``)."""

    ready: bool
    bundle: str
    environment: str
    directory_serial: int
    stale: bool
    refused: Refusal | None
    replicas: list[ReplicaSeen]


class Process(msgspec.Struct, frozen=True):
    """One process that ``headway up`` looks after."""

    name: str
    what: str
    address: str
    pid: int | None
    running: bool
    since: float | None
    """Unix time of its start."""
    restarts: int
    last_exit: int | None

    @property
    def up_seconds(self) -> int | None:
        return None if self.since is None else max(0, int(time.time() - self.since))


class _Processes(msgspec.Struct, frozen=True):
    processes: list[Process]


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    replicas: tuple[ReplicaSeen, ...]

    @property
    def answering(self) -> int:
        return sum(1 for replica in self.replicas if replica.reachable)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the status page says."""

    gateway: GatewayReport | None
    problem: str | None
    """Why there is no report of the gateway."""
    pools: tuple[Pool, ...]
    processes: tuple[Process, ...]
    """Empty when something else supervises."""

    @property
    def replicas(self) -> int:
        return sum(len(pool.replicas) for pool in self.pools)

    @property
    def answering(self) -> int:
        return sum(pool.answering for pool in self.pools)

    @property
    def verdict(self) -> str:
        """``bad``: tenants are not served. ``warn``: served, but something needs a look. ``ok``."""
        if self.gateway is None or not self.gateway.ready or (self.replicas and not self.answering):
            return "bad"
        down = any(not process.running for process in self.processes)
        if down or self.gateway.stale or self.gateway.refused or self.answering < self.replicas:
            return "warn"
        return "ok"


def overview(*, admin_url: str, processes_file: Path) -> Overview:
    """Ask the gateway at ``admin_url``, read what the supervisor wrote; a silence is part of the answer."""
    report, problem = _ask_gateway(admin_url)
    pools = tuple(
        Pool(name, tuple(members))
        for name, members in groupby(report.replicas if report else (), key=attrgetter("pool"))
    )
    return Overview(gateway=report, problem=problem, pools=pools, processes=_read_processes(processes_file))


def explanation(admin_url: str, request_id: str) -> dict[str, Any] | None:
    """What the gateway itself still remembers of a request; None when it does not, or does not answer."""
    try:
        answer = httpx.get(f"{admin_url}/decisions/{request_id}", timeout=PATIENCE, trust_env=False)
        # Not orjson: the arms of a route reach 2**64, which it refuses.
        found = json.loads(answer.content) if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _ask_gateway(admin_url: str) -> tuple[GatewayReport | None, str | None]:
    try:
        answer = httpx.get(f"{admin_url}/readyz", timeout=PATIENCE, trust_env=False)
        return msgspec.json.decode(answer.content, type=GatewayReport), None
    except httpx.TimeoutException:
        return None, f"no answer from {admin_url} within {PATIENCE:.0f} s"
    except httpx.HTTPError as failure:
        return None, f"no connection to {admin_url} ({type(failure).__name__})"
    except msgspec.DecodeError as failure:
        return None, f"{admin_url} answers, but not as a gateway does ({failure})"


def _read_processes(path: Path) -> tuple[Process, ...]:
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=_Processes).processes)
    except FileNotFoundError:
        return ()
