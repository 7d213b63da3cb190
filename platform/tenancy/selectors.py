"""What is known about people? Reads only."""

from __future__ import annotations

from tenancy.models import Membership, Role, User

STAFF_ROLES = frozenset({Role.OPERATOR.value, Role.APPROVER.value, Role.VIEWER.value})


def roles(user: User) -> frozenset[str]:
    """The platform roles of ``user``; a superuser (the first administrator) holds the operator's."""
    held = set(Membership.objects.filter(user=user, tenant="").values_list("role", flat=True))
    if user.is_superuser:
        held.add(Role.OPERATOR.value)
    return frozenset(held)


def tenants(user: User) -> list[str]:
    """The tenants ``user`` belongs to, by name; each with all below it."""
    return sorted(tenant_roles(user))


def tenant_roles(user: User) -> dict[str, frozenset[str]]:
    """Tenant -> what ``user`` is to it."""
    found: dict[str, frozenset[str]] = {}
    rows = Membership.objects.filter(user=user).exclude(tenant="").values_list("tenant", "role")
    for tenant, role in rows:
        found[tenant] = found.get(tenant, frozenset()) | {role}
    return found


def anybody() -> bool:
    """Whether at least one active account exists, so that somebody can sign in."""
    return User.objects.filter(is_active=True).exists()
