"""What ``headway up`` puts into the database: the policy, keys, and the gateway's membership."""

from __future__ import annotations

import pytest

from delivery.models import Pointer, Release
from fleet.models import Gateway
from fleet.selectors import identities as enrolled
from headway.up import policy
from headway.up.options import Ports
from policies import selectors
from subscriber import identity as identities
from tenancy.models import ApiKey

pytestmark = pytest.mark.django_db(transaction=True)

PORTS = Ports(console=8000, gateway=8080, admin=8081, fleet=21_000)
MOVED = Ports(console=8000, gateway=8080, admin=8081, fleet=22_000)
TENANTS = ["acme", "globex", "initech", "umbrella"]


@pytest.fixture(autouse=True)
def own_keys(settings, tmp_path):
    settings.HEADWAY_KEYS = str(tmp_path / "keys")


def pool_addresses() -> set[bytes]:
    heads = selectors.heads("dev", "Pool").select_related("document")
    return {port for head in heads for port in policy._REPLICA.findall(bytes(head.document.body))}


def test_the_first_start_loads_the_example_with_this_fleet_s_addresses():
    assert policy.install(PORTS, demo=True) == TENANTS
    assert pool_addresses() == {b"%d" % port for port in range(21_000, 21_008)}
    assert policy.release() == 1
    assert Release.objects.get().version == 1


def test_a_later_start_changes_nothing():
    policy.install(PORTS, demo=True)
    before = selectors.current_revision("dev")
    assert policy.install(PORTS, demo=True) == TENANTS
    assert selectors.current_revision("dev") == before


def test_a_later_start_on_other_ports_moves_the_pools_and_only_those():
    policy.install(PORTS, demo=True)
    tiers = dict(selectors.heads("dev", "Tier").values_list("name", "document_id"))
    policy.install(MOVED, demo=True)
    assert pool_addresses() == {b"%d" % port for port in range(22_000, 22_008)}
    assert dict(selectors.heads("dev", "Tier").values_list("name", "document_id")) == tiers


def test_without_the_demo_there_is_an_environment_and_nothing_in_it():
    assert policy.install(PORTS, demo=False) == []
    assert policy.release() == 0
    assert not Pointer.objects.exists()


def test_each_start_gives_fresh_keys_and_revokes_the_last_start_s():
    policy.install(PORTS, demo=True)
    first, second = policy.give_keys(TENANTS), policy.give_keys(TENANTS)
    assert set(first.values()).isdisjoint(second.values())
    assert ApiKey.objects.filter(revoked_at=None).count() == len(TENANTS)


def test_the_gateway_is_enrolled_once_and_again_only_when_it_must(tmp_path):
    policy.install(PORTS, demo=True)
    folder = tmp_path / "gateway"
    policy.enrol(folder, PORTS.console_url)
    made = identities.load(folder)
    assert identities.credential_digest(made) in enrolled()
    assert (folder / "identity.json").stat().st_mode & 0o777 == 0o600
    policy.enrol(folder, PORTS.console_url)
    assert identities.load(folder) == made

    (folder / "identity.json").unlink()
    policy.enrol(folder, PORTS.console_url)
    assert identities.load(folder).gateway != made.gateway
    assert Gateway.objects.filter(retired_at=None).count() == 1
