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
    """The tenants ``user`` administers, by name."""
    return list(
        Membership.objects.filter(user=user, role=Role.TENANT_ADMIN)
        .order_by("tenant")
        .values_list("tenant", flat=True)
    )


def anybody() -> bool:
    """Whether at least one active account exists, so that somebody can sign in."""
    return User.objects.filter(is_active=True).exists()
