"""Whose usage may somebody see? The platform's staff everybody's, a tenant's people their own."""

from __future__ import annotations

from foundation.actors import Actor, Automaton
from foundation.http import Forbidden
from tenancy.models import User
from tenancy.permissions import holds
from tenancy.selectors import STAFF_ROLES, tenants

READ = "read"
"""Scope of service tokens."""


def visible_tenants(actor: Actor) -> tuple[str, ...] | None:
    """None: every tenant. Otherwise these and all below them; ``Forbidden`` if there is none."""
    if holds(actor, STAFF_ROLES, READ):
        return None
    person = actor.on_behalf if isinstance(actor, Automaton) else actor
    allowed = not isinstance(actor, Automaton) or READ in actor.scopes
    own = tuple(tenants(person)) if allowed and isinstance(person, User) and person.is_active else ()
    if not own:
        raise Forbidden("forbidden", "Usage is shown to the platform's staff and to a tenant's own people.")
    return own


def narrowed(visible: tuple[str, ...] | None, tenant: str) -> tuple[str, ...] | None:
    """``visible`` cut to ``tenant`` and all below it; nothing at all for somebody else's."""
    if not tenant:
        return visible
    if visible is None or any(tenant == own or tenant.startswith(f"{own}/") for own in visible):
        return (tenant,)
    return ()
