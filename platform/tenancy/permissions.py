"""What may this person, or this program on a person's behalf, see and do?"""

from __future__ import annotations

from foundation.actors import SYSTEM, Actor, Automaton
from tenancy.models import User
from tenancy.selectors import STAFF_ROLES, roles

LOOPBACK = frozenset({"127.0.0.1", "::1"})


def holds(actor: Actor, wanted: frozenset[str], scope: str) -> bool:
    """Whether ``actor`` has one of the platform roles ``wanted``; a token needs ``scope`` as well.

    A token may do what its scopes say, and never more than the user who answers for it.
    """
    if actor is SYSTEM:
        return True
    person = actor.on_behalf if isinstance(actor, Automaton) else actor
    if not isinstance(person, User) or not person.is_active:
        return False
    if isinstance(actor, Automaton) and scope not in actor.scopes:
        return False
    return bool(roles(person) & wanted)


def may_see_platform(user: User) -> bool:
    """The platform's own screens are for its staff; a tenant's people see their tenant only."""
    return bool(roles(user) & STAFF_ROLES)


def may_sign_in_from(user: User, address: str) -> bool:
    """Demo accounts are printed on a terminal, so they are refused anywhere but on that machine."""
    return not user.is_demo or address in LOOPBACK
