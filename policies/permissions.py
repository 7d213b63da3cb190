"""Who may read policy, and who may change it? The one place that decides."""

from __future__ import annotations

from foundation.actors import Actor
from foundation.http import Forbidden
from tenancy.models import Role, User
from tenancy.permissions import holds
from tenancy.selectors import STAFF_ROLES, tenant_roles

READ, CHANGE = "read", "policy"
"""Scopes of service tokens."""


def require_reader(actor: Actor) -> None:
    """Operators, approvers and viewers read every environment."""
    if not holds(actor, STAFF_ROLES, READ):
        raise Forbidden("forbidden", "Policies are read by the platform's own staff.")


def require_editor(actor: Actor, environment: str) -> None:
    """Operators change policy; every environment so far needs no second person."""
    if not holds(actor, frozenset({Role.OPERATOR.value}), CHANGE):
        raise Forbidden(
            "forbidden",
            f"Changing the policy of `{environment}` takes the operator's role.",
            kind="Environment",
            name=environment,
        )


def require_asker(actor: Actor, tenant: str) -> None:
    """People who administer a tenant, or one above it, may ask for changes of its quotas."""
    held = tenant_roles(actor) if isinstance(actor, User) and actor.is_active else {}
    if not any(
        Role.TENANT_ADMIN.value in roles and f"{tenant}/".startswith(f"{above}/")
        for above, roles in held.items()
    ):
        raise Forbidden("forbidden", "Asking for this takes the role of a tenant's administrator.")
