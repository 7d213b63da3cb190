"""Every channel of ``/ws/live``, asked for by a tenant's people: their own figures, and nobody else's."""

from __future__ import annotations

import pytest

from telemetry.live.connection import Arguments
from telemetry.live.doors import standing
from telemetry.live.hub import EVENTS
from telemetry.live.tickets import Bearer
from telemetry.series.tables import FLEET, MINE
from tenancy.models import Role
from tests.console.conftest import person
from tests.telemetry.live.guests import TimedHub

THEIRS = ("globex", "globex/plant", "acme/../globex", "acmex", "*", "~other")


@pytest.mark.parametrize("role", [Role.TENANT_ADMIN, Role.TENANT_MEMBER])
def test_no_channel_but_one_s_own_is_opened(world, monkeypatch, role):
    user = person("ana", role, "acme")
    monkeypatch.setattr("telemetry.live.doors.connection.close", lambda: None)  # the test's own
    guest = standing(Bearer(user.pk, token=None))
    assert guest is not None
    assert (guest.staff, guest.tenants) == (False, ("acme",))
    hub = TimedHub()
    channels = [*FLEET, *EVENTS, *MINE]
    assert len(channels) > 5
    for name in channels:
        for tenant in THEIRS:
            arguments = Arguments(environment="dev", tenant=tenant)
            assert hub.channel(guest, name, arguments) == "forbidden", (name, tenant)
        opened = hub.channel(guest, name, Arguments(environment="dev"))
        assert (opened == "forbidden") == (name not in MINE), name
