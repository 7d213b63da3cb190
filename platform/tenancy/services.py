"""How do accounts change? One function for each change, keyword-only, one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import transaction

from tenancy.models import Membership, User


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account ``headway up`` prints: its name, this start's password, and its one membership."""

    username: str
    password: str
    role: str
    tenant: str = ""


@transaction.atomic
def replace_demo_accounts(*, accounts: Sequence[DemoAccount]) -> None:
    """Make the demo accounts exactly ``accounts``: an earlier start's passwords stop working.

    An account of the same name made by a person is left alone and raises ``NameTaken``.
    """
    wanted = {account.username for account in accounts}
    taken = User.objects.filter(username__in=wanted, is_demo=False).values_list("username", flat=True)
    if taken:
        raise NameTaken(sorted(taken))
    User.objects.filter(is_demo=True).exclude(username__in=wanted).delete()
    for account in accounts:
        user, _ = User.objects.update_or_create(
            username=account.username,
            defaults={"password": make_password(account.password), "is_demo": True, "is_active": True},
        )
        user.memberships.all().delete()
        Membership.objects.create(user=user, role=account.role, tenant=account.tenant)


@transaction.atomic
def remove_demo_accounts() -> None:
    """Demo passwords were on a terminal: nobody signs in with them once the demo is over."""
    User.objects.filter(is_demo=True).delete()


class NameTaken(Exception):
    """Demo accounts would overwrite people's own."""

    def __init__(self, usernames: Sequence[str]) -> None:
        self.usernames = tuple(usernames)
        super().__init__(
            f"the demo needs the account name{'s' if len(usernames) > 1 else ''} {', '.join(usernames)}, "
            "which somebody already has; start with --no-demo, or rename that account"
        )
