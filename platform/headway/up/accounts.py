"""Is the database ready, and who may sign in to it? The part of ``headway up`` that uses Django."""

from __future__ import annotations

import os
from pathlib import Path

from headway.place import VAR_VARIABLE
from headway.up.demo import Cast
from headway.up.trouble import CannotStart


def prepare(var: Path) -> None:
    """Load Django for the state folder ``var`` and bring its database up to date."""
    os.environ[VAR_VARIABLE] = str(var)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")
    import django
    from django.core.management import call_command
    from django.db import OperationalError

    django.setup()
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as refusal:
        raise CannotStart(f"the database cannot be used: {refusal}") from refusal


def install(cast: Cast | None) -> bool:
    """Make the demo accounts those of ``cast`` (``None``: there are none); True if anybody can sign in."""
    from tenancy.models import Role
    from tenancy.selectors import anybody
    from tenancy.services import DemoAccount, NameTaken, remove_demo_accounts, replace_demo_accounts

    try:
        if cast is None:
            remove_demo_accounts()
        else:
            staff = ((cast.operator, Role.OPERATOR), (cast.approver, Role.APPROVER))
            replace_demo_accounts(
                accounts=[
                    *(DemoAccount(who.username, who.password, role.value) for who, role in staff),
                    *(
                        DemoAccount(
                            tenant.sign_in.username,
                            tenant.sign_in.password,
                            Role.TENANT_ADMIN.value,
                            tenant.name,
                        )
                        for tenant in cast.tenants
                    ),
                ]
            )
        return anybody()
    except NameTaken as taken:
        raise CannotStart(str(taken)) from taken


def leave() -> None:
    """Let the database go: from here on the console's processes have it."""
    from django.db import connections

    connections.close_all()
