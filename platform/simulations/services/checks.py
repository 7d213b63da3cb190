"""What does a reviewer of a change set see of its simulations? A check, bound to the operations simulated."""

from __future__ import annotations

from foundation.actors import SYSTEM
from policies.models import Check
from policies.services import report_check
from simulations import selectors
from simulations.mapping.results import summary_of
from simulations.models import Simulation, State

VERDICTS = {"holds": Check.State.PASSED, "fails": Check.State.FAILED, None: Check.State.NEUTRAL}


def started(simulation: Simulation) -> None:
    """In the transaction that begins it."""
    made_of = _made_of(simulation)
    under = f"Under {simulation.scenario.trace.name}" + (f", replicas of {made_of}" if made_of else "")
    _say(simulation, Check.State.PENDING, f"{under}.")


def ended(simulation: Simulation) -> None:
    """In the transaction that ends it. Gates judge, and fail the check; without them it informs people."""
    if simulation.state == State.DONE:
        result = simulation.result or {}
        _say(simulation, VERDICTS[result.get("verdict")], summary_of(result))
    elif simulation.state == State.FAILED:
        _say(simulation, Check.State.FAILED, f"Not simulated: {simulation.error_detail}")
    else:
        _say(simulation, Check.State.NEUTRAL, "Cancelled.")


def _say(simulation: Simulation, state: Check.State, summary: str) -> None:
    scenario = simulation.scenario
    if scenario.change_set is None:
        return
    made_of = _made_of(simulation)
    name = f"simulation: {scenario.trace.name}" + (f", {made_of}" if made_of else "")
    report_check(
        actor=SYSTEM,
        change_set=scenario.change_set,
        head_digest=scenario.head_digest,
        name=name[:100],
        state=state.value,
        url=f"/e/{simulation.environment}/simulations/{simulation.pk}/",
        summary=summary,
    )


def _made_of(simulation: Simulation) -> str:
    """``ours-70b``; ``chat=ours-70b and code=theirs`` where pools are named. Others are another check."""
    given = selectors.made_of(simulation.scenario)
    return " and ".join(f"{one.pool}={one.profile.name}" if one.pool else one.profile.name for one in given)
