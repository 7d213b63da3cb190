"""What do others hear of simulations? Workers that there is work, screens how far it is."""

from __future__ import annotations

import time

from foundation import outbox
from simulations.models import Run, Simulation
from telemetry.live.messages import Happened
from telemetry.live.notice import tell

STARTED = "simulations.started"
"""``{simulation}``: its runs wait for workers."""
ENDED = "simulations.ended"
"""``{environment, simulation, state}``."""
CHANNEL = "simulations"
"""Of the live socket."""


def started(simulation: Simulation) -> None:
    outbox.emit(STARTED, {"simulation": simulation.pk}, key=str(simulation.pk))
    _show(simulation, "started")


def ended(simulation: Simulation) -> None:
    payload = {
        "environment": simulation.environment,
        "simulation": simulation.pk,
        "state": str(simulation.state),
    }
    outbox.emit(ENDED, payload, key=str(simulation.pk))
    _show(simulation, "ended")


def progressed(run: Run) -> None:
    """To screens alone: what counts is the row."""
    facts = {
        "simulation": run.simulation_id,
        "state": "running",
        "run": run.position,
        "arrived": run.arrived,
        "requests": run.requests,
        "simulated_us": run.simulated_us,
    }
    tell(Happened(run.simulation.environment, CHANNEL, "progressed", _now_ms(), facts))


def _show(simulation: Simulation, kind: str) -> None:
    facts = {"simulation": simulation.pk, "state": str(simulation.state)}
    tell(Happened(simulation.environment, CHANNEL, kind, _now_ms(), facts))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
