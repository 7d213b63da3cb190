"""Who may see what gateways run, release, roll back, and hold tenants' keys? The one place that decides."""

from __future__ import annotations

from foundation.actors import Actor
from foundation.http import Forbidden
from tenancy.models import Role, ServiceToken, User
from tenancy.permissions import holds
from tenancy.selectors import STAFF_ROLES, tenant_roles

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


def divides_for(actor: Actor, team: str) -> str:
    """The outermost tenant above ``team`` that this person administers, whose own it is to divide; empty
    for anybody else. No program divides on a tenant's behalf."""
    if not isinstance(actor, User) or not actor.is_active:
        return ""
    above = [
        tenant
        for tenant, roles in tenant_roles(actor).items()
        if Role.TENANT_ADMIN.value in roles and team.startswith(f"{tenant}/")
    ]
    return min(above, key=len, default="")


def _takes_an_operator(what: str, environment: str) -> Forbidden:
    return Forbidden(
        "forbidden",
        f"{what} `{environment}` takes the operator's role.",
        kind="Environment",
        name=environment,
    )
