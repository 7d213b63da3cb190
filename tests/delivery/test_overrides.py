"""Emergency measures of the control plane: what one may, what takes two, and what gateways are sent."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from coordination.bundle.overrides import HOUR
from coordination.bundle.pointer import open_pointer
from coordination.bundle.root import open_root
from coordination.spec.quantities import Money
from delivery import heartbeats, tasks
from delivery.models import Override, Pointer, Release, TrustRoot
from delivery.overrides import services, standing, subjects
from foundation.audit.models import AuditEntry
from foundation.http import Conflict, Forbidden, Invalid, Refused
from policies.mapping import documents
from policies.models import ChangeSet
from tenancy.models import Role
from tests.delivery.conftest import change, drain
from tests.policies.conftest import person, put
from tests.policies.test_rest import refused, send

BASE = "/api/v1/environments/dev/overrides"
SECOND = 1_000_000
LIMIT = "acme-cap:total_tokens:1m"


@pytest.fixture
def approver(db):
    return person("bob", Role.APPROVER)


@pytest.fixture
def limited(released):
    put("acme-cap", "spec: {tenant: acme, limits: [{of: total_tokens, per: 1m, limit: 1M}]}", kind="Quota")
    drain()
    return released


def begin(environment, operator, kind="block_tenant", subject="acme", **more):
    wanted = {"lasts": 3600, "reason": "a bad night", **more}
    return services.begin(actor=operator, environment=environment, kind=kind, subject=subject, **wanted)


def ask(environment, operator, **more):
    return begin(environment, operator, "raise_limit", LIMIT, amount_ppm=1_500_000, **more)


def carried():
    """What the pointer of the ring says, verified as a gateway would."""
    root = open_root(bytes(TrustRoot.objects.latest("version").envelope))
    return open_pointer(bytes(Pointer.objects.get().envelope), root.trusted("pointer")).overrides


# -- one person narrows ----------------------------------------------------------------------------


def test_what_one_person_narrows_is_in_the_pointer_at_once(released, operator):
    serial = Pointer.objects.get().serial
    row = begin(released, operator)
    (found,) = carried()
    assert (found.id, found.kind, found.subject, found.by) == (row.id, "block_tenant", "acme", "ada")
    assert found.expires_at - found.issued_at == 3600 * SECOND
    assert Pointer.objects.get().serial == serial + 1
    entry = AuditEntry.objects.latest("seq")
    assert (entry.action, entry.object_name, entry.details["reason"]) == (
        "override.begun",
        row.id,
        "a bad night",
    )


def test_it_stays_through_releases_rollbacks_and_heartbeats_and_leaves_by_itself(released, operator):
    row = begin(released, operator)
    change(210)
    assert [one.id for one in carried()] == [row.id]
    heartbeats.renew_due(now_us=time.time_ns() // 1000 + 3600 * SECOND)
    assert [one.id for one in carried()] == [row.id]
    Override.objects.update(expires_at=time.time_ns() // 1000)
    heartbeats.renew_due(now_us=time.time_ns() // 1000 + 3600 * SECOND)
    assert carried() == ()


def test_it_is_lifted_early_once(released, operator):
    row = begin(released, operator)
    services.lift(actor=operator, environment=released, override=row)
    assert carried() == ()
    entries, serial = AuditEntry.objects.count(), Pointer.objects.get().serial
    services.lift(actor=operator, environment=released, override=row)
    assert (AuditEntry.objects.count(), Pointer.objects.get().serial) == (entries, serial)


@pytest.mark.parametrize(
    ("kind", "subject", "lasts", "code"),
    [
        ("block_tenant", "nobody", 60, "unknown_subject"),
        ("block_key", "aaaaaaaaaa", 60, "unknown_subject"),
        ("drain_pool", "nowhere", 60, "unknown_subject"),
        ("drain_replica", "http://10.9.9.9:1", 60, "unknown_subject"),
        ("block_tenant", "Acme", 60, "malformed_override"),
        ("root_shell", "", 60, "malformed_override"),
        ("freeze_releases", "", 4 * 86_400, "override_out_of_bounds"),
        ("wake_pool", "chat", 3600, "override_out_of_bounds"),
    ],
)
def test_what_is_about_nothing_or_beyond_its_bounds_is_refused(
    released, operator, kind, subject, lasts, code
):
    with pytest.raises(Invalid) as caught:
        begin(released, operator, kind, subject, lasts=lasts)
    assert caught.value.code == code
    assert not Override.objects.exists()


def test_the_replicas_and_pools_of_the_policy_can_be_drained(released, operator):
    pools = subjects.replicas("dev")
    pool, urls = next(iter(pools.items()))
    begin(released, operator, "drain_pool", pool)
    begin(released, operator, "drain_replica", urls[0])
    assert {one.kind for one in carried()} == {"drain_pool", "drain_replica"}


def test_the_same_twice_and_more_than_fit_are_refused(released, operator):
    begin(released, operator)
    with pytest.raises(Refused) as caught:
        begin(released, operator)
    assert caught.value.code == "already_in_force"
    now, at = standing.now_us(), Override.objects.latest("asked_at").asked_at
    for number in range(31):
        Override.objects.create(
            id=f"ovr_{number:08d}", environment=released, kind="block_tenant", subject=f"t{number}", lasts=60,
            reason="x", asked_at=at, asked_by_name="ada", issued_at=now,
            expires_at=now + HOUR,
        )  # fmt: skip
    with pytest.raises(Refused) as caught:
        begin(released, operator, "freeze_releases", "")
    assert caught.value.code == "too_many_overrides"


# -- two people widen ------------------------------------------------------------------------------


def test_a_limit_is_raised_when_a_second_person_agrees_and_a_change_set_asks_whether_for_good(
    limited, operator, approver
):
    row = ask(limited, operator)
    assert carried() == ()
    services.approve(actor=approver, environment=limited, override=row)
    (found,) = carried()
    assert (found.amount_ppm, found.by, found.approved_by) == (1_500_000, "ada", "bob")
    change_set = ChangeSet.objects.get(state="open")
    assert Override.objects.get().change_set == change_set
    assert change_set.state == ChangeSet.State.OPEN
    assert row.id in change_set.reason
    written = change_set.operations.get().new_document
    assert written is not None
    proposed = documents.as_json(written)
    assert proposed["spec"]["limits"][0]["limit"] == "1.5M"


def test_whoever_asked_cannot_approve(limited, operator):
    row = ask(limited, operator)
    with pytest.raises(Forbidden) as caught:
        services.approve(actor=operator, environment=limited, override=row)
    assert caught.value.code == "second_person_needed"
    assert carried() == ()


def test_it_is_approved_once_and_not_after_it_was_given_up_or_has_lapsed(limited, operator, approver):
    row = ask(limited, operator)
    services.lift(actor=operator, environment=limited, override=row)
    with pytest.raises(Conflict) as caught:
        services.approve(actor=approver, environment=limited, override=row)
    assert caught.value.code == "not_waiting"
    late = ask(limited, operator)
    Override.objects.filter(pk=late.pk).update(asked_at="2026-01-01T00:00:00Z")
    with pytest.raises(Conflict) as caught:
        services.approve(actor=approver, environment=limited, override=late)
    assert caught.value.code == "override_lapsed"
    assert standing.state_of(Override.objects.get(pk=late.pk), standing.now_us()) == "lapsed"


def test_a_limit_rests_a_day_after_the_end_of_a_raise_also_of_one_that_was_lifted(
    limited, operator, approver
):
    row = ask(limited, operator)
    services.approve(actor=approver, environment=limited, override=row)
    services.lift(actor=operator, environment=limited, override=row)
    with pytest.raises(Refused) as caught:
        ask(limited, operator)
    assert caught.value.code == "override_renewed"
    Override.objects.update(expires_at=standing.now_us() - 24 * HOUR)
    assert ask(limited, operator).pk


def test_money_is_raised_as_money():
    assert subjects.raised(Money(10_500_000_000, "USD"), 2_000_000) == "21 USD"
    assert subjects.raised(Money(1, "EUR"), 2_000_000) == "0.000000002 EUR"
    assert subjects.raised(7, 1_500_000) == 10


# -- a freeze --------------------------------------------------------------------------------------


def test_frozen_nothing_is_released_but_a_way_back_and_what_waited_is_released_after(released, operator):
    change(210)
    freeze = begin(released, operator, "freeze_releases", "")
    put("standard", "spec: {service_tier: [default, standard], band: 220}", base=...)
    drain()
    assert Release.objects.count() == 2, "a build waits, and its event is no failure"
    client = Client()
    client.force_login(operator)
    asked = {"bundle": Pointer.objects.get().bundle}
    answer = refused(send(client, "POST", "/api/v1/environments/dev/releases", asked), 409, "releases_frozen")
    assert freeze.id in answer["detail"]
    assert send(client, "POST", "/api/v1/environments/dev/rollback", {}).status_code == 201
    services.lift(actor=operator, environment=released, override=freeze)
    tasks.note_progress()
    assert Release.objects.latest("version").version == 4
    tasks.note_progress()
    assert Release.objects.count() == 4, "once"


# -- over REST -------------------------------------------------------------------------------------


@pytest.fixture
def api(limited, operator):
    client = Client()
    client.force_login(operator)
    return client


BLOCK = {"kind": "block_tenant", "subject": "acme", "lasts": 600, "reason": "a bad night"}


def test_an_override_is_begun_once_under_one_idempotency_key_listed_read_and_lifted(api):
    made = send(api, "POST", BASE, BLOCK, Idempotency_Key="k1")
    again = send(api, "POST", BASE, BLOCK, Idempotency_Key="k1")
    assert (made.status_code, again.json()) == (201, made.json())
    address = made["Location"]
    assert api.get(address).json()["state"] == "in_force"
    assert [one["id"] for one in api.get(f"{BASE}?in_force=true").json()["items"]] == [made.json()["id"]]
    assert send(api, "POST", f"{address}/lift").json()["state"] == "ended"
    assert api.get(f"{BASE}?in_force=true").json()["items"] == []
    assert len(api.get(BASE).json()["items"]) == 1
    refused(api.get(f"{BASE}/ovr_00000000"), 404, "unknown_override")


def test_a_raise_over_rest_takes_two_sign_ins(api, approver):
    asked = {
        "kind": "raise_limit",
        "subject": LIMIT,
        "lasts": 600,
        "reason": "launch",
        "amount_ppm": 2_000_000,
    }
    made = send(api, "POST", BASE, asked).json()
    assert made["state"] == "waiting"
    refused(send(api, "POST", f"{BASE}/{made['id']}/approve"), 403, "second_person_needed")
    second = Client()
    second.force_login(approver)
    approved = send(second, "POST", f"{BASE}/{made['id']}/approve").json()
    assert (approved["state"], approved["approved_by_name"]) == ("in_force", "bob")
    assert approved["change_set"] == ChangeSet.objects.get(state="open").pk
    refused(send(second, "POST", BASE, BLOCK), 403, "forbidden")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({**BLOCK, "kind": "root_shell"}, 422),
        ({**BLOCK, "lasts": 0}, 422),
        ({**BLOCK, "reason": ""}, 422),
        ({**BLOCK, "subject": "nobody"}, 422),
        (
            {"kind": "raise_limit", "subject": LIMIT, "lasts": 600, "reason": "x", "amount_ppm": 2_000_001},
            422,
        ),
        ({"kind": "raise_limit", "subject": LIMIT, "lasts": 600, "reason": "x"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(api, asked, status):
    answer = send(api, "POST", BASE, asked)
    assert answer.status_code == status, answer.json()
    assert answer.json()["errors"]


def test_viewers_and_strangers_change_nothing(released, viewer, stranger):
    for who, reads in ((viewer, 200), (stranger, 403)):
        client = Client()
        client.force_login(who)
        assert client.get(BASE).status_code == reads
        refused(send(client, "POST", BASE, BLOCK), 403, "forbidden")
