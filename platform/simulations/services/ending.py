"""How does a simulation end? When its last run does, when one fails, or when somebody has seen enough."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from foundation import audit
from foundation.actors import SYSTEM, Actor
from foundation.http import Conflict
from foundation.locking import locked
from simulations import events
from simulations.mapping.results import result_of
from simulations.models import OPEN, Simulation, State
from simulations.permissions import require_simulator
from simulations.services import checks


@transaction.atomic
def settle(*, simulation: int) -> bool:
    """Gather the runs' reports if all are done, or fail with the first that failed. Once: whether now."""
    held = locked(Simulation.objects.filter(pk=simulation, state__in=OPEN)).first()
    if held is None:
        return False
    states = set(held.runs.order_by().values_list("state", flat=True).distinct())
    if State.FAILED in states:
        first = held.runs.filter(state=State.FAILED).order_by("position")[0]
        held.error_code, held.error_detail = first.error_code, first.error_detail
        _end(held, State.FAILED, SYSTEM)
    elif states == {State.DONE}:
        held.result = result_of(held.scenario, list(held.runs.order_by("position")))
        _end(held, State.DONE, SYSTEM)
    else:
        return False
    return True


@transaction.atomic
def cancel(*, actor: Actor, simulation: Simulation) -> Simulation:
    """End it now. Workers notice within a second and end their children; nothing they find is written.

    Raises ``Conflict`` (``simulation_ended``).
    """
    require_simulator(actor, simulation.environment)
    held = locked(Simulation.objects.filter(pk=simulation.pk)).get()
    if held.ended:
        raise Conflict(
            "simulation_ended",
            f"Simulation {held.pk} is {held.state}.",
            kind="Simulation",
            name=str(held.pk),
        )
    _end(held, State.CANCELLED, actor)
    return held


def _end(held: Simulation, state: State, actor: Actor) -> None:
    now = timezone.now()
    held.runs.filter(state__in=OPEN).update(state=State.CANCELLED, lease_until=None, ended_at=now)
    held.state, held.ended_at = state, now
    held.save(update_fields=["state", "ended_at", "result", "error_code", "error_detail"])
    events.ended(held)
    checks.ended(held)
    details = {"error": held.error_code} if held.error_code else {}
    if held.result is not None and "inputs" in held.result:
        details["inputs"] = held.result["inputs"]["digest"]
    audit.record(
        actor=actor,
        action=f"simulations.{state.value}",
        object_kind="Simulation",
        object_name=str(held.pk),
        environment=held.environment,
        details=details,
    )
