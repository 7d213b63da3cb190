"""How is a run done? Claimed, simulated in a child, its report written; or left to others at any moment."""

from __future__ import annotations

import os
import socket
import threading
import time

from django.conf import settings

from coordination.capacity.profile_file import ProfileFileError
from simulations import events, leases
from simulations.job import Failed, Job, Progress, Report
from simulations.leases import Lease
from simulations.mapping.inputs import job_of
from simulations.models import Run
from simulations.process import Child
from simulations.services.ending import settle

BEAT = 1.0
"""Seconds between renewals of a lease; how late a cancelled child is ended."""
AGAIN = frozenset({"child_died"})
"""Failures that may be the machine's and not the simulation's."""

_stopping = threading.Event()


def perform(number: int) -> bool:
    """Do the run if nobody else does. Whether its end was written here."""
    if _stopping.is_set():
        return False
    worker = f"{socket.gethostname()}:{os.getpid()}"
    lease = leases.claim(number, worker)
    if lease is None:
        return False
    run = Run.objects.select_related(
        "simulation__scenario__policy", "simulation__scenario__against", "simulation__scenario__trace"
    ).get(pk=number)
    events.progressed(run)
    try:
        job = job_of(run, run.simulation.scenario)
    except ProfileFileError:
        ended = leases.fail(lease, "profile_missing", "A profile it is made of was removed.")
    else:
        if os.path.exists(job.trace):
            ended = _supervise(lease, run, job)
        else:
            ended = leases.fail(lease, "trace_missing", "Its trace is not in this worker's folder of traces.")
    if ended:
        settle(simulation=lease.simulation)
    return ended


def _supervise(lease: Lease, run: Run, job: Job) -> bool:
    """Listen to the child until it, the lease or this process ends. Whether an end was written."""
    arrived = simulated = 0
    with Child(job) as child:
        renewed = time.monotonic()
        while True:
            told = child.hear(BEAT / 4)
            if isinstance(told, Progress):
                arrived, simulated = told.arrived, told.simulated_us
            elif isinstance(told, Report):
                return leases.finish(lease, told.report, round(child.seconds * 1_000_000))
            elif isinstance(told, Failed):
                return _failed(lease, told)
            if _stopping.is_set():
                leases.give_back(lease, lost=False)
                return False
            if child.seconds > settings.HEADWAY_SIMULATION_MINUTES * 60:
                minutes = settings.HEADWAY_SIMULATION_MINUTES
                return leases.fail(lease, "took_too_long", f"It took more than {minutes} minutes.")
            if time.monotonic() - renewed >= BEAT:
                renewed = time.monotonic()
                if not leases.renew(lease, arrived, simulated):
                    return False  # cancelled, or somebody else's
                run.arrived, run.simulated_us = arrived, simulated
                events.progressed(run)


def _failed(lease: Lease, told: Failed) -> bool:
    if told.code in AGAIN:
        leases.give_back(lease, lost=True)  # the sweep has it begun again, or gives it up
        return False
    return leases.fail(lease, told.code, told.detail)


def stop() -> None:
    """This process is about to end: children are ended, and their runs given back."""
    _stopping.set()


def begin() -> None:
    """This process may work (again)."""
    _stopping.clear()
