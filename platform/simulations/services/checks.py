"""What does a reviewer of a change set see of its simulations? A check, bound to the operations simulated."""

from __future__ import annotations

from foundation.actors import SYSTEM
from policies.models import Check
from policies.services import report_check
from simulations.mapping.results import summary_of
from simulations.models import Simulation, State


def started(simulation: Simulation) -> None:
    """In the transaction that begins it."""
    _say(simulation, Check.State.PENDING, f"Under {simulation.scenario.trace.name}.")


def ended(simulation: Simulation) -> None:
    """In the transaction that ends it. What would have been is for people to judge: it informs."""
    if simulation.state == State.DONE:
        _say(simulation, Check.State.NEUTRAL, summary_of(simulation.result or {}))
    elif simulation.state == State.FAILED:
        _say(simulation, Check.State.FAILED, f"Not simulated: {simulation.error_detail}")
    else:
        _say(simulation, Check.State.NEUTRAL, "Cancelled.")


def _say(simulation: Simulation, state: Check.State, summary: str) -> None:
    scenario = simulation.scenario
    if scenario.change_set is None:
        return
    report_check(
        actor=SYSTEM,
        change_set=scenario.change_set,
        head_digest=scenario.head_digest,
        name=f"simulation: {scenario.trace.name}"[:100],
        state=state.value,
        url=f"/e/{simulation.environment}/simulations/{simulation.pk}/",
        summary=summary,
    )
