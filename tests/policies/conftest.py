"""An environment ``dev`` with a small sound policy, people with roles, and files to make more of it."""

from __future__ import annotations

import pytest

from foundation.actors import SYSTEM
from policies import services
from policies.models import Head
from tenancy.models import Membership, Role, User
from tests.support.policies import WORLD, written
from tests.support.remembered import remembered


def text(kind, name, rest):
    """A document as YAML text."""
    return written(f"{kind}/{name}", rest).encode()


def put(name, rest, *, kind="Tier", base=None, actor=SYSTEM, environment="dev", **more):
    """Save one document on top of ``base``, or of whatever is current if that is ``...``."""
    if base is ...:
        base = digest_of(kind, name, environment)
    body = None if rest is None else text(kind, name, rest)
    return services.save_document(
        actor=actor, environment=environment, kind=kind, name=name, body=body, base_digest=base, **more
    )


def digest_of(kind, name, environment="dev"):
    row = Head.objects.filter(environment=environment, kind=kind, name=name).first()
    return row.document_id if row else None


@pytest.fixture
def world_folder(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    for key, rest in WORLD.items():
        kind, name = key.split("/", 1)
        (folder / f"{kind}-{name.replace('/', '-')}.yaml").write_bytes(text(kind, name, rest))
    return folder


@pytest.fixture
def dev(db, world_folder):
    """The environment, at its first revision."""
    return remembered(
        "a small policy",
        lambda: services.load_folder(actor=SYSTEM, environment="dev", folder=world_folder),
    )


def person(name, role):
    user = User.objects.create_user(name, password="a-long-enough-one")
    if role:
        Membership.objects.create(user=user, role=role)
    return user


@pytest.fixture
def operator(db):
    return person("ada", Role.OPERATOR)


@pytest.fixture
def viewer(db):
    return person("vera", Role.VIEWER)


@pytest.fixture
def stranger(db):
    return person("sam", None)
