"""How does what a simulation found good become policy? As a proposal, which people look at and merge."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from foundation import audit
from foundation.actors import Actor, name_of
from foundation.http import Conflict, FieldError, Invalid
from foundation.locking import locked
from policies import selectors as policy
from policies.mapping.proposals import Edit, edits_towards
from policies.models import ChangeSet
from policies.permissions import require_editor
from policies.services import propose, put_edits
from simulations import selectors
from simulations.mapping import promoting
from simulations.models import Promotion, Simulation, State

ANY = "*"


@dataclass(frozen=True, slots=True)
class Promoted:
    change_set: ChangeSet
    made: bool
    """Whether the change set was opened for it."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    edits: list[Edit]
    reason: str


@transaction.atomic
def promote(
    *, actor: Actor, simulation: Simulation, value: float | None = None, head_digest: str = ""
) -> Promoted:
    """Have a change set make ``value`` of a sweep, or without one the revision that was simulated, policy.

    A sweep of a change set that is still open goes into that one, as long as ``head_digest`` names it:
    what the caller looked at, what was simulated when left out, ``ANY`` for whatever is there. The same
    again is the change set that there is.

    Raises ``Forbidden``; ``Invalid`` (``unknown_value``); ``Conflict``: ``simulation_not_done``,
    ``not_of_the_policy``, ``nothing_to_promote``, ``object_gone``, ``replicas_listed``,
    ``outdated_document``, ``change_set_moved``, ``change_set_ended``.
    """
    require_editor(actor, simulation.environment)
    # Whoever promotes the same meanwhile waits here, and then finds what was made.
    held = locked(Simulation.objects.filter(pk=simulation.pk)).get()
    scenario = held.scenario
    if held.state != State.DONE:
        raise _conflict(held, "simulation_not_done", f"Simulation {held.pk} is {held.state}.")
    earlier = selectors.promotions(held).get(value)
    target = earlier.change_set if earlier else promoting.proposal_of(scenario) if scenario.knob else None
    wanted = _revision(held) if value is None else _value(held, value, target)
    edits = promoting.differing(wanted.edits, target)
    if not edits:
        if earlier is not None:
            return Promoted(earlier.change_set, made=False)
        raise _conflict(held, "nothing_to_promote", "The policy is so already.")
    made = target is None
    if target is None:
        target = propose(
            actor=actor,
            environment=held.environment,
            edits=edits,
            reason=wanted.reason,
            ticket=f"simulation {held.pk}",
        )
    else:
        looked_at = head_digest or (earlier.head_digest if earlier else scenario.head_digest)
        put_edits(
            actor=actor,
            change_set=target,
            edits=edits,
            head_digest=None if looked_at == ANY else looked_at,
        )
    _remember(actor, held, value, target)
    audit.record(
        actor=actor,
        action="simulations.promoted",
        object_kind="Simulation",
        object_name=str(held.pk),
        environment=held.environment,
        details={
            "change_set": target.pk,
            "head_digest": target.head_digest,
            "knob": scenario.knob,
            "value": "" if value is None else f"{value:.15g}",  # an audit entry holds no fractions
            "revision": "" if scenario.knob else scenario.policy_revision,
            "operations_count": len(edits),
        },
    )
    return Promoted(target, made)


def _value(held: Simulation, value: float, target: ChangeSet | None) -> _Wanted:
    scenario = held.scenario
    if not scenario.knob:
        raise _unknown_value("it was no sweep: leave the value out")
    if not promoting.bears(scenario):
        raise _conflict(
            held, "not_of_the_policy", f"{scenario.knob} is no number of the policy: no document sets it."
        )
    if value not in scenario.values:
        raise _unknown_value(f"one of {', '.join(f'{each:g}' for each in scenario.values)}")
    places = promoting.places_of(scenario, target)
    edits = promoting.edits_at(scenario, places, value)
    return _Wanted(edits, promoting.reason_for_value(held, edits, places, value))


def _revision(held: Simulation) -> _Wanted:
    scenario = held.scenario
    if scenario.knob:
        raise _unknown_value(f"say which value of {scenario.knob}")
    earlier = promoting.earlier_revision(held)
    if earlier is None:
        raise _conflict(
            held, "nothing_to_promote", "It did not simulate an earlier revision than what is current."
        )
    current = policy.current_revision(held.environment)
    edits = edits_towards(held.environment, earlier.root_tree_id)
    return _Wanted(edits, promoting.reason_for_revision(held, earlier, current))


def _remember(actor: Actor, held: Simulation, value: float | None, target: ChangeSet) -> None:
    """Another value of the same sweep is no longer in it: they are numbers of the same documents."""
    held.promotions.filter(change_set=target).exclude(value=value).delete()
    Promotion.objects.update_or_create(
        simulation=held,
        value=value,
        defaults={
            "change_set": target,
            "head_digest": target.head_digest,
            "author_name": name_of(actor),
            "at": timezone.now(),
        },
    )


def _unknown_value(says: str) -> Invalid:
    return Invalid(
        "unknown_value",
        f"That value cannot be promoted: {says}.",
        errors=[FieldError("/value", "unknown_value", says)],
    )


def _conflict(held: Simulation, code: str, says: str) -> Conflict:
    return Conflict(code, says, kind="Simulation", name=str(held.pk))
