"""Who simulates a run, and may they still write what came of it?

A claim raises the run's fence and lends it for a few seconds; whoever works renews. Every write of a worker
names the fence it was lent under, so one that was too long silent writes nothing: the run was cancelled, or
is somebody else's by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from simulations.models import Run, Simulation, State

LEASE = timedelta(seconds=15)
MOST_LOST = 3
"""Workers or children a run may cost. One that takes each of them down is given up."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A run that is the holder's until it says nothing for ``LEASE``."""

    run: int
    simulation: int
    fence: int


def free(now: datetime) -> Q:
    """Runs that nobody works on: waiting, or their worker is silent."""
    return Q(state=State.QUEUED) | Q(state=State.RUNNING, lease_until__lt=now)


def claim(number: int, worker: str) -> Lease | None:
    """The run, if nobody works on it and it has not ended."""
    now = timezone.now()
    open_ = Run.objects.filter(free(now), pk=number, lost__lt=MOST_LOST)
    run = open_.only("fence", "state", "simulation_id").first()
    if run is None:
        return None
    # Guarded by the fence, so that of two who claim at once one changes nothing.
    taken = open_.filter(fence=run.fence).update(
        state=State.RUNNING,
        fence=F("fence") + 1,
        lost=F("lost") + (1 if run.state == State.RUNNING else 0),
        lease_until=now + LEASE,
        worker=worker[:200],
        started_at=now,
        arrived=0,
        simulated_us=0,
    )
    if not taken:
        return None
    Simulation.objects.filter(pk=run.simulation_id, state=State.QUEUED).update(
        state=State.RUNNING, started_at=now
    )
    return Lease(run.pk, run.simulation_id, run.fence + 1)


def renew(lease: Lease, arrived: int, simulated_us: int) -> bool:
    """Whether the run is still the holder's."""
    return bool(
        _mine(lease).update(lease_until=timezone.now() + LEASE, arrived=arrived, simulated_us=simulated_us)
    )


def give_back(lease: Lease, *, lost: bool) -> bool:
    """The holder stops before it is done: whoever comes next begins at once. ``lost``: its child died."""
    return bool(
        _mine(lease).update(state=State.QUEUED, lost=F("lost") + (1 if lost else 0), lease_until=None)
    )


def finish(lease: Lease, report: dict[str, Any], wall_us: int) -> bool:
    """Write the report, once. Whether it was the holder's to write."""
    requests = report["requests"]
    return bool(
        _mine(lease).update(
            state=State.DONE,
            report=report,
            wall_us=wall_us,
            arrived=requests,
            simulated_us=round(report["simulated_seconds"] * 1_000_000),
            lease_until=None,
            ended_at=timezone.now(),
        )
    )


def fail(lease: Lease, code: str, detail: str) -> bool:
    """Write why there is no report."""
    return bool(
        _mine(lease).update(
            state=State.FAILED,
            error_code=code,
            error_detail=detail[:1000],
            lease_until=None,
            ended_at=timezone.now(),
        )
    )


def give_up(now: datetime) -> list[int]:
    """Fail the runs that were begun too often; returns their simulations."""
    lost = Run.objects.filter(
        Q(state=State.QUEUED, lost__gte=MOST_LOST)
        | Q(state=State.RUNNING, lease_until__lt=now, lost__gte=MOST_LOST - 1)
    )
    numbers = list(lost.values_list("simulation_id", flat=True).distinct())
    lost.update(
        state=State.FAILED,
        error_code="worker_lost",
        error_detail=f"What simulated it died {MOST_LOST} times.",
        lease_until=None,
        ended_at=now,
    )
    return numbers


def take_over() -> int:
    """End every lease: for the one process that works, whose predecessor may have been killed."""
    return Run.objects.filter(state=State.RUNNING).update(state=State.QUEUED, lease_until=None)


def _mine(lease: Lease) -> Any:
    return Run.objects.filter(pk=lease.run, fence=lease.fence, state=State.RUNNING)
