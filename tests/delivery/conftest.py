"""An environment ``dev`` with a released policy, in this process: no gateway, no server."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest

from coordination.wire.status import Status
from delivery import statuses, trust
from delivery.models import Pointer
from fleet.models import Environment
from fleet.services import enroll_gateway, ensure_environment, issue_enrolment_token
from foundation import outbox
from foundation.actors import SYSTEM
from policies import services
from tests.policies.conftest import (  # noqa: F401 - fixtures
    dev,
    operator,
    put,
    stranger,
    viewer,
    world_folder,
)
from tests.support.remembered import remembered


@pytest.fixture
def keys_folder(tmp_path, settings):
    """A keys folder of the test's own."""
    settings.HEADWAY_KEYS = str(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def environment(db, keys_folder):
    """``dev`` with its ring and a root of trust; no policy yet."""

    def make():
        trust.ensure_embedded_root()
        made = ensure_environment(actor=SYSTEM, name="dev")
        services.create_environment(actor=SYSTEM, environment="dev")
        return made

    return remembered("an environment", make, folder=keys_folder)


@pytest.fixture
def released(environment, dev):  # noqa: F811 - the fixture
    """``dev`` at release 1."""

    def release():
        drain()
        return Environment.objects.get(name="dev")

    return remembered("an environment, released", release)


def drain():
    """Let every event have its effect. Fails if one does not."""
    while True:
        drained = outbox.drain()
        assert not drained.failed
        if not drained.done:
            return


def change(band, name="standard", **more):
    """Another band for a tier: a new revision, built and released. The release."""
    put(name, f"spec: {{service_tier: [default, standard], band: {band}}}", base=..., **more)
    drain()
    return Environment.objects.get(name="dev").releases.first()


def join(name="gw-1"):
    """Enrol a gateway."""
    ring = Environment.objects.get(name="dev").rings.get()
    token = issue_enrolment_token(actor=SYSTEM, ring=ring)
    key = sha256(name.encode()).hexdigest()
    return enroll_gateway(token=token, name=name, public_key=key).gateway


_reports: Counter[str] = Counter()


def report(gateway, **fields):
    """Have ``gateway`` say that it runs what its ring is pointed at, but for ``fields``."""
    pointer = Pointer.objects.get(ring=gateway.ring)
    _reports[gateway.id] += 1
    plain = {
        "boot_id": "b",
        "seq": _reports[gateway.id],
        "sent_at": statuses.now_us(),
        "serial": pointer.serial,
        "version": pointer.version,
        "desired": pointer.bundle,
        "attempted": pointer.bundle,
        "applied": pointer.bundle,
        "applied_directory": pointer.directory_id,
        "state": "active",
    }
    statuses.record(gateway.id, Status(**{**plain, **fields}), statuses.now_us())
