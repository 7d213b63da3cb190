"""What may this person see?"""

from __future__ import annotations

from tenancy.models import User
from tenancy.selectors import STAFF_ROLES, roles

LOOPBACK = frozenset({"127.0.0.1", "::1"})


def may_see_platform(user: User) -> bool:
    """The platform's own screens are for its staff; a tenant's people see their tenant only."""
    return bool(roles(user) & STAFF_ROLES)


def may_sign_in_from(user: User, address: str) -> bool:
    """Demo accounts are printed on a terminal, so they are refused anywhere but on that machine."""
    return not user.is_demo or address in LOOPBACK
