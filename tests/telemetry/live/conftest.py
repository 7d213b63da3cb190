"""People with sessions, in a database that threads can share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from fleet.services import ensure_environment
from foundation.actors import SYSTEM
from tenancy.credentials import create_service_token
from tenancy.models import Membership, Role, User
from tests.telemetry.live.guests import TimedHub


def person(name: str, role: str, tenant: str = "") -> User:
    user = User.objects.create_user(name, password="a-long-enough-one")
    Membership.objects.create(user=user, role=role, tenant=tenant)
    return user


def signed_in(user: User) -> tuple[Client, dict[bytes, bytes]]:
    """A session, and the header that brings it along."""
    client = Client()
    client.force_login(user)
    return client, {b"cookie": f"headway_session={client.cookies['headway_session'].value}".encode()}


@pytest.fixture
def world(sqlite_file):
    ensure_environment(actor=SYSTEM, name="dev")
    people = {
        "olga": person("olga", Role.OPERATOR),
        "ann": person("ann", Role.TENANT_ADMIN, "acme"),
        "gus": person("gus", Role.TENANT_ADMIN, "globex"),
        "nobody": User.objects.create_user("nobody", password="a-long-enough-one"),
    }
    clients, cookies = {}, {}
    for name, user in people.items():
        clients[name], cookies[name] = signed_in(user)
    token = create_service_token(
        actor=SYSTEM, owner=people["olga"], name="t", scopes=["read"], life=timedelta(days=1)
    )
    return {"people": people, "clients": clients, "cookies": cookies, "token": token}


@pytest.fixture
async def hub(world):
    made = TimedHub()
    yield made
    await made.stop()
