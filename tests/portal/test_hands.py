"""Many administrators at once, on both databases: a share moves once, a key is replaced once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.services import ensure_environment
from foundation import audit
from foundation.actors import SYSTEM
from foundation.http import Refused
from portal import services
from portal.mapping import shares
from portal.selectors.contract import look
from portal.selectors.shares import moved
from tenancy import credentials
from tenancy.models import ApiKey, Role, TeamShare
from tests.console.conftest import person
from tests.policies.conftest import put, world_folder  # noqa: F401 - fixtures
from tests.policies.test_races import HANDS, at_once, shared  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow


@pytest.fixture
def place(shared):  # noqa: F811 - the fixture
    ensure_environment(actor=SYSTEM, name="dev")
    for name in ("acme/search", "acme/shop"):
        put(name, "spec: {tiers: [standard]}", kind="Tenant")
    put("acme-hands-on", "spec: {tenant: acme, delegation: {weight: true}}", kind="Quota")
    for number in range(HANDS):
        person(f"ana{number}", Role.TENANT_ADMIN, "acme")
    contract = look((), "dev", "acme").contract
    assert contract is not None
    return services.Place("dev", contract)


def test_of_several_moves_seen_alike_one_is_made_and_the_others_look_again(place):
    now = shares.weights(place.contract, moved("dev", "acme"), "acme")
    version = shares.division(place.contract, "acme", now).version

    def move(number):
        services.move_share(
            actor=person(f"ana{number}"),
            place=place,
            giver="acme/search",
            taker="acme/shop",
            amount=100_000,
            version=version,
        )

    results = at_once(move)
    refused = [each.code for each in results if isinstance(each, Refused)]
    assert refused == ["stale_edit"] * (HANDS - 1)
    held = dict(TeamShare.objects.values_list("tenant", "weight_ppm"))
    assert held == {"acme/search": 900_000, "acme/shop": 1_100_000}
    assert audit.verify().holds


def test_a_key_is_replaced_once_however_many_ask(place):
    made = credentials.create_key(actor=SYSTEM, environment="dev", tenant="acme", name="k")

    def rotate(number):
        return services.rotate_key(
            actor=person(f"ana{number}"),
            place=place,
            key_id=made.row.key_id,
            overlap=timedelta(hours=1),
        )

    results = at_once(rotate)
    assert [each.code for each in results if isinstance(each, Refused)] == ["key_not_active"] * (HANDS - 1)
    assert ApiKey.objects.count() == 2
