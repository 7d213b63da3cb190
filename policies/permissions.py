"""Who may read policy, and who may change it? The one place that decides."""

from __future__ import annotations

from foundation.actors import SYSTEM, Actor, Automaton
from foundation.http import Forbidden
from tenancy.models import Role, User
from tenancy.selectors import STAFF_ROLES, roles

READ, CHANGE = "read", "policy"
"""Scopes of service tokens."""


def require_reader(actor: Actor) -> None:
    """Operators, approvers and viewers read every environment."""
    if not _holds(actor, STAFF_ROLES, READ):
        raise Forbidden("forbidden", "Policies are read by the platform's own staff.")


def require_editor(actor: Actor, environment: str) -> None:
    """Operators change policy; every environment so far needs no second person."""
    if not _holds(actor, frozenset({Role.OPERATOR.value}), CHANGE):
        raise Forbidden(
            "forbidden",
            f"Changing the policy of `{environment}` takes the operator's role.",
            kind="Environment",
            name=environment,
        )


def _holds(actor: Actor, wanted: frozenset[str], scope: str) -> bool:
    """A token may do what its scopes say, and never more than the user who answers for it."""
    if actor is SYSTEM:
        return True
    person = actor.on_behalf if isinstance(actor, Automaton) else actor
    if not isinstance(person, User) or not person.is_active:
        return False
    if isinstance(actor, Automaton) and scope not in actor.scopes:
        return False
    return bool(roles(person) & wanted)
