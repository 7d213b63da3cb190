"""Which tenants is somebody of, and what may they do there? The one place that decides.

Who belongs to a tenant belongs to all below it: its teams. What is not theirs is not there: a stranger
is answered as if the tenant did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping

from foundation.actors import Actor
from foundation.http import Forbidden, NotFound
from tenancy.models import Role, User
from tenancy.selectors import tenant_roles

ADMINISTRATORS = frozenset({Role.TENANT_ADMIN.value})


def within(tenant: str, above: str) -> bool:
    """Whether ``tenant`` is ``above`` or one of the tenants below it."""
    return tenant == above or tenant.startswith(f"{above}/")


def roles_in(memberships: Mapping[str, frozenset[str]], tenant: str) -> frozenset[str]:
    """What somebody with these memberships is to ``tenant``; empty for a stranger."""
    held = (roles for above, roles in memberships.items() if within(tenant, above))
    return frozenset().union(*held)


def require_administrator(actor: Actor, tenant: str) -> None:
    """Only a person who administers ``tenant`` changes anything there; no program does so for them."""
    roles: frozenset[str] = frozenset()
    if isinstance(actor, User) and actor.is_active:
        roles = roles_in(tenant_roles(actor), tenant)
    if not roles:
        raise NotFound("not_found", "There is no such tenant.")
    if not roles & ADMINISTRATORS:
        raise Forbidden("forbidden", "Changing this takes the role of a tenant's administrator.")
