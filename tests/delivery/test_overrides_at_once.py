"""Two hands at once, on both databases: no more than fit, and one approval, whatever the order."""

from __future__ import annotations

import pytest

from coordination.bundle.overrides import MAX_OVERRIDES
from coordination.bundle.pointer import open_pointer
from coordination.bundle.root import open_root
from delivery import trust
from delivery.models import Override, Pointer, TrustRoot
from delivery.overrides import services as overrides
from delivery.overrides import standing
from fleet.models import Environment
from fleet.services import ensure_environment
from foundation.actors import SYSTEM
from foundation.http import Refused
from tenancy.models import Role
from tests.delivery.conftest import drain
from tests.policies.conftest import person, put
from tests.policies.test_races import at_once, shared  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


@pytest.fixture
def world(shared, settings, tmp_path):  # noqa: F811 - the fixture
    settings.HEADWAY_KEYS = str(tmp_path / "keys")
    trust.ensure_embedded_root()
    ensure_environment(actor=SYSTEM, name="dev")
    put("acme-cap", "spec: {tenant: acme, limits: [{of: requests, per: 1m, limit: 10}]}", kind="Quota")
    drain()
    return Environment.objects.get(name="dev")


def carried():
    root = open_root(bytes(TrustRoot.objects.latest("version").envelope))
    return open_pointer(bytes(Pointer.objects.get().envelope), root.trusted("pointer")).overrides


def test_of_many_who_begin_at_once_as_many_as_fit_do_and_the_pointer_carries_them(world):
    ada, now = person("ada", Role.OPERATOR), standing.now_us()
    filler = {
        "environment": world,
        "kind": "block_tenant",
        "lasts": 60,
        "reason": "x",
        "asked_by_name": "ada",
    }
    made = overrides.begin(
        actor=ada, environment=world, kind="freeze_releases", subject="", lasts=60, reason="x"
    )
    for number in range(MAX_OVERRIDES - 3):
        Override.objects.create(
            id=f"ovr_{number:08d}", subject=f"t{number}", asked_at=made.asked_at, issued_at=now,
            expires_at=now + 60_000_000, **filler,
        )  # fmt: skip
    wanted = [
        ("block_tenant", "acme"),
        ("drain_pool", "chat"),
        ("wake_pool", "chat"),
        ("drain_replica", "http://chat-1:8000"),
    ]
    told = at_once(
        lambda n: overrides.begin(
            actor=ada, environment=world, kind=wanted[n][0], subject=wanted[n][1], lasts=60, reason="x"
        )
    )
    refused = [one for one in told if isinstance(one, Refused)]
    assert [one.code for one in refused] == ["too_many_overrides"] * 2
    assert len(carried()) == MAX_OVERRIDES


def test_of_two_who_approve_at_once_one_does(world):
    ada = person("ada", Role.OPERATOR)
    approvers = [person(name, Role.APPROVER) for name in ("bob", "cyd")]
    row = overrides.begin(
        actor=ada, environment=world, kind="raise_limit", subject="acme-cap:requests:1m", lasts=60,
        reason="a launch", amount_ppm=2_000_000,
    )  # fmt: skip
    told = at_once(lambda n: overrides.approve(actor=approvers[n], environment=world, override=row), count=2)
    assert sorted(type(one).__name__ for one in told) == ["Conflict", "Override"]
    assert [one.amount_ppm for one in carried()] == [2_000_000]
    assert Override.objects.get().change_set is not None
