"""``python -m tests.support.console_setup REPLICA_URL...``: a state folder as a first day leaves it.

Migrated, with a root of trust, the environment ``dev`` at release 1 of a small policy, an operator, a
token of hers, and acme's administrator. Says the token as JSON. Everything goes through the doors the
product uses.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from coordination.spec import SourceFile  # noqa: E402
from delivery import trust  # noqa: E402
from delivery.models import Pointer  # noqa: E402
from fleet.services import ensure_environment  # noqa: E402
from foundation import outbox  # noqa: E402
from foundation.actors import SYSTEM  # noqa: E402
from policies import services  # noqa: E402
from tenancy.credentials import create_service_token  # noqa: E402
from tenancy.models import Membership, Role, ServiceToken, User  # noqa: E402
from tests.support.policies import WORLD, written  # noqa: E402


def policy(replicas: Sequence[str]) -> list[SourceFile]:
    """The small sound policy, with a pool of these replicas."""
    urls = ", ".join(f'"{url}"' for url in replicas)
    pool = WORLD["Pool/chat"].replace('"http://chat-1:8000", "http://chat-2:8000"', urls)
    world = {**WORLD, "Pool/chat": pool}
    return [
        SourceFile("world.yaml", "---\n".join(written(key, rest) for key, rest in world.items()).encode())
    ]


def main(replicas: Sequence[str]) -> None:
    call_command("migrate", interactive=False, verbosity=0)
    trust.ensure_embedded_root()
    ensure_environment(actor=SYSTEM, name="dev")
    services.create_environment(actor=SYSTEM, environment="dev")
    files = policy(replicas)
    planned = services.plan(actor=SYSTEM, environment="dev", files=files)
    services.apply(actor=SYSTEM, environment="dev", files=files, plan_digest=planned.digest)
    while outbox.drain().done:
        pass
    assert Pointer.objects.get(ring__environment="dev").version == 1
    ada = User.objects.create_user("ada", password="a-long-enough-one")
    Membership.objects.create(user=ada, role=Role.OPERATOR)
    ana = User.objects.create_user("ana", password="a-long-enough-one")
    Membership.objects.create(user=ana, role=Role.TENANT_ADMIN, tenant="acme")
    token = create_service_token(
        actor=SYSTEM, owner=ada, name="tests", scopes=ServiceToken.Scope.values, life=timedelta(days=1)
    )
    sys.stdout.write(json.dumps({"token": token.secret}))


if __name__ == "__main__":
    main(sys.argv[1:])
