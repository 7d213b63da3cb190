"""Who may see what gateways run, release, roll back, and hold tenants' keys? The one place that decides."""

from __future__ import annotations

from foundation.actors import Actor
from foundation.http import Forbidden
from tenancy.models import Role, ServiceToken
from tenancy.permissions import holds
from tenancy.selectors import STAFF_ROLES

OPERATORS = frozenset({Role.OPERATOR.value})


def require_reader(actor: Actor) -> None:
    """Operators, approvers and viewers see every environment."""
    if not holds(actor, STAFF_ROLES, ServiceToken.Scope.READ):
        raise Forbidden("forbidden", "Releases and gateways are shown to the platform's own staff.")


def require_releaser(actor: Actor, environment: str) -> None:
    """Operators release, roll back, and let gateways in and out; a token needs the scope ``release``."""
    if not holds(actor, OPERATORS, ServiceToken.Scope.RELEASE):
        raise _takes_an_operator("Releasing to", environment)


def require_second(actor: Actor, environment: str) -> None:
    """Operators and approvers agree to what an operator asked for; a token needs the scope ``release``."""
    if not holds(actor, OPERATORS | {Role.APPROVER.value}, ServiceToken.Scope.RELEASE):
        raise Forbidden(
            "forbidden",
            f"Approving an override of `{environment}` takes the operator's or the approver's role.",
            kind="Environment",
            name=environment,
        )


def require_keeper(actor: Actor, environment: str) -> None:
    """Operators hold tenants' keys and shares; a token needs the scope ``policy``."""
    if not holds(actor, OPERATORS, ServiceToken.Scope.POLICY):
        raise _takes_an_operator("Changing the directory of", environment)


def _takes_an_operator(what: str, environment: str) -> Forbidden:
    return Forbidden(
        "forbidden",
        f"{what} `{environment}` takes the operator's role.",
        kind="Environment",
        name=environment,
    )
