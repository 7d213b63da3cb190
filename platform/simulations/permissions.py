"""Who may look at simulations, and who may start and end them? The one place that decides."""

from __future__ import annotations

from foundation.actors import Actor
from foundation.http import Forbidden
from tenancy.models import Role, ServiceToken
from tenancy.permissions import holds
from tenancy.selectors import STAFF_ROLES

OPERATORS = frozenset({Role.OPERATOR.value})


def require_reader(actor: Actor) -> None:
    """Operators, approvers and viewers see every environment's."""
    if not holds(actor, STAFF_ROLES, ServiceToken.Scope.READ):
        raise Forbidden("forbidden", "Simulations are shown to the platform's own staff.")


def require_simulator(actor: Actor, environment: str) -> None:
    """Operators upload traces, start simulations and end them; a token needs the scope ``policy``."""
    if not holds(actor, OPERATORS, ServiceToken.Scope.POLICY):
        raise Forbidden(
            "forbidden",
            f"Simulating for `{environment}` takes the operator's role.",
            kind="Environment",
            name=environment,
        )
