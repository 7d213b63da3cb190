"""Delivery over REST: releases and rollback, progress, tokens, keys and shares, and who may."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from coordination.bundle.directory import read_directory
from coordination.wire.status import StatusError
from delivery import directories
from delivery.models import DirectoryVersion, Pointer, Release
from fleet.models import EnrolmentToken, Environment
from foundation.actors import SYSTEM
from foundation.audit.models import AuditEntry
from foundation.http.models import IdempotentRequest
from policies.models import Bundle
from tenancy import credentials
from tenancy.models import ApiKey, LimitCredit, Membership
from tests.delivery.conftest import change, drain, join, report
from tests.policies.conftest import put
from tests.policies.test_rest import refused, send

BASE = "/api/v1/environments/dev"


@pytest.fixture
def api(released, operator):
    """A client with the session of an operator; release 1 is out."""
    client = Client()
    client.force_login(operator)
    return client


# -- releases ---------------------------------------------------------------------------------------


def test_releases_are_listed_newest_first_page_by_page(api):
    change(210)
    change(220)
    first = api.get(f"{BASE}/releases?limit=2").json()
    assert [row["version"] for row in first["items"]] == [3, 2]
    rest = api.get(f"{BASE}/releases", {"limit": 2, "cursor": first["next"]}).json()
    assert [row["version"] for row in rest["items"]] == [1]
    assert rest["next"] is None


def test_a_release_shows_how_far_each_gateway_has_come_and_keeps_its_etag_until_one_moves(api):
    ahead, behind = join("ahead"), join("behind")
    before = Pointer.objects.get().bundle
    release = change(210)
    report(ahead)
    report(behind, applied=before, state="rejected", error=StatusError(code="self_test_failed", message="no"))
    read = api.get(f"{BASE}/releases/2")
    (stage,) = read.json()["stages"]
    assert (stage["ring"], stage["state"]) == ("0", "refused")
    progress = {row["name"]: row for row in stage["gateways"]}
    assert progress["ahead"] == {
        "id": ahead.id,
        "name": "ahead",
        "state": "active",
        "applied": True,
        "attempted": True,
        "error": None,
    }
    assert (progress["behind"]["applied"], progress["behind"]["error"]["code"]) == (False, "self_test_failed")
    assert read.json()["bundle"] == release.bundle
    assert send(api, "GET", f"{BASE}/releases/2", If_None_Match=read["ETag"]).status_code == 304
    report(behind)
    assert send(api, "GET", f"{BASE}/releases/2", If_None_Match=read["ETag"]).status_code == 200


def test_an_unknown_release_environment_or_cursor_is_refused(api):
    refused(api.get(f"{BASE}/releases/99"), 404, "unknown_version")
    refused(api.get(f"{BASE}/releases/{10**17}"), 404, "unknown_version")
    refused(api.get("/api/v1/environments/nowhere/releases"), 404, "unknown_environment")
    for cursor in ("x", "WyJhYmMiXQ", "WzFd" * 9, "WyIyIl0\0"):
        assert api.get(f"{BASE}/releases", {"cursor": cursor}).status_code in (200, 400)
    refused(api.get(f"{BASE}/releases", {"cursor": "WyJhYmMiXQ"}), 400, "malformed_query")


def test_a_bundle_is_published_once_under_one_idempotency_key(api):
    bundle = Pointer.objects.get().bundle
    asked = {"bundle": bundle, "reason": "again"}
    made = send(api, "POST", f"{BASE}/releases", asked, Idempotency_Key="k1")
    again = send(api, "POST", f"{BASE}/releases", asked, Idempotency_Key="k1")
    assert (made.status_code, made.json()["version"]) == (201, 2)
    assert made["Location"] == f"{BASE}/releases/2"
    assert (again.json(), again["Idempotency-Replayed"]) == (made.json(), "true")
    assert Release.objects.count() == 2
    entry = AuditEntry.objects.latest("seq")
    assert (entry.action, entry.actor_name, entry.object_name) == ("release.published", "ada", "2")


def test_only_whole_signed_bundles_of_this_environment_are_published(api):
    def publish(bundle, **more):
        return send(api, "POST", f"{BASE}/releases", {"bundle": bundle, **more})

    refused(publish("sha256:" + "0" * 64), 404, "unknown_bundle")
    refused(publish("latest"), 422, "invalid_request")
    refused(publish(None), 422, "invalid_request")
    running = Bundle.objects.get()
    for digest, environment, code in (
        ("sha256:" + "1" * 64, "dev", "bundle_unsigned"),
        ("sha256:" + "2" * 64, "production", "wrong_environment"),
    ):
        Bundle.objects.create(
            digest=digest, environment=environment, manifest=b"{}", size=2, created_at=running.created_at
        )
        refused(publish(digest), 409, code)
    assert Release.objects.count() == 1


def test_who_looked_at_an_older_release_is_refused(api):
    bundle = Pointer.objects.get().bundle
    change(210)
    refused(send(api, "POST", f"{BASE}/releases", {"bundle": bundle, "after": 1}), 409, "release_moved")
    refused(send(api, "POST", f"{BASE}/rollback", {"after": 1}), 409, "release_moved")
    assert send(api, "POST", f"{BASE}/rollback", {"after": 2}).status_code == 201


def test_a_rollback_brings_the_old_bundle_under_a_new_version_and_may_itself_be_taken_back(api):
    first = Pointer.objects.get().bundle
    refused(send(api, "POST", f"{BASE}/rollback", {}), 409, "nothing_to_roll_back")
    second = change(210).bundle
    back = send(api, "POST", f"{BASE}/rollback", {"reason": "too many refusals"})
    assert back.status_code == 201
    told = back.json()
    assert (told["version"], told["bundle"], told["rollback_of"]) == (3, first, 1)
    assert (told["reason"], told["actor_name"]) == ("too many refusals", "ada")
    forward = send(api, "POST", f"{BASE}/rollback", {"to_version": 2}).json()
    assert (forward["version"], forward["bundle"]) == (4, second)
    refused(send(api, "POST", f"{BASE}/rollback", {"to_version": 4}), 404, "unknown_version")
    refused(send(api, "POST", f"{BASE}/rollback", {"to_version": 0}), 422, "invalid_request")


def test_a_release_supersedes_the_one_that_was_under_way(api):
    join()
    change(210)
    rows = api.get(f"{BASE}/releases").json()["items"]
    assert [(row["version"], row["state"]) for row in rows] == [(2, "running"), (1, "superseded")]


# -- gateways ---------------------------------------------------------------------------------------


def test_the_status_alarms_when_builds_have_stopped(api, monkeypatch):
    told = api.get(f"{BASE}/status").json()
    assert told["timeline_alarm"] is False
    assert told["timeline_ends"] is not None
    monkeypatch.setattr("delivery.api.gateways.STANDSTILL", timedelta(days=-2))  # as if today were later
    assert api.get(f"{BASE}/status").json()["timeline_alarm"] is True


def test_the_status_tells_what_should_run_and_what_does(api):
    gateway = join()
    told = api.get(f"{BASE}/status").json()
    (ring,) = told["rings"]
    (seen,) = ring["gateways"]
    assert (seen["state"], seen["age_seconds"], seen["silent"], told["in_step"]) == (
        "unknown",
        None,
        True,
        False,
    )
    report(gateway)
    told = api.get(f"{BASE}/status").json()
    (ring,) = told["rings"]
    (seen,) = ring["gateways"]
    pointer = Pointer.objects.get()
    assert told["in_step"]
    assert told["release"]["version"] == ring["pointer"]["version"] == seen["version"] == 1
    assert seen["desired"] == seen["attempted"] == seen["applied"] == pointer.bundle
    assert seen["applied_directory"] == ring["pointer"]["directory"]
    assert seen["age_seconds"] >= 0


def test_a_gateway_that_holds_an_older_directory_is_out_of_step(api):
    gateway = join()
    report(gateway)
    credentials.create_key(actor=SYSTEM, environment="dev", tenant="acme", name="k")
    drain()
    told = api.get(f"{BASE}/status").json()
    assert not told["in_step"]
    report(gateway)
    assert api.get(f"{BASE}/status").json()["in_step"]


def test_gateways_are_listed_by_name_and_leave_the_list_when_retired(api):
    for name in ("c", "a", "b"):
        join(name)
    first = api.get(f"{BASE}/gateways?limit=2").json()
    rest = api.get(f"{BASE}/gateways", {"cursor": first["next"]}).json()
    rows = [*first["items"], *rest["items"]]
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    gone = api.delete(f"{BASE}/gateways/{rows[1]['id']}")
    assert gone.status_code == 200
    assert gone.json()["retired_at"]
    assert api.delete(f"{BASE}/gateways/{rows[1]['id']}").json()["retired_at"] == gone.json()["retired_at"]
    assert [row["name"] for row in api.get(f"{BASE}/gateways").json()["items"]] == ["a", "c"]
    assert len(api.get(f"{BASE}/gateways?retired=true").json()["items"]) == 3
    refused(api.delete(f"{BASE}/gateways/gw_{'z' * 26}"), 404, "not_found")


def test_an_enrolment_token_is_shown_once_and_kept_as_a_digest(api):
    asked = {"max_uses": 3, "seconds": 60}
    made = send(api, "POST", f"{BASE}/enrolment-tokens", asked, Idempotency_Key="t")
    secret = made.json()["token"]
    assert made.status_code == 201
    assert secret.startswith("hwe_")
    assert made.json()["root"].startswith("sha256:")
    again = send(api, "POST", f"{BASE}/enrolment-tokens", asked, Idempotency_Key="t")
    assert again.json() == {**made.json(), "token": None}
    assert EnrolmentToken.objects.count() == 1
    (row,) = api.get(f"{BASE}/enrolment-tokens").json()["items"]
    assert (row["max_uses"], row["uses"], row["created_by_name"]) == (3, 0, "ada")
    refused(send(api, "POST", f"{BASE}/enrolment-tokens", {"ring": "9"}), 422, "unknown_ring")
    refused(send(api, "POST", f"{BASE}/enrolment-tokens", {"seconds": 901}), 422, "invalid_request")


# -- keys and shares --------------------------------------------------------------------------------


def create_key(api, **more):
    return send(api, "POST", f"{BASE}/keys", {"tenant": "acme", "name": "batch job"}, **more)


def test_a_key_is_shown_once_rotated_and_revoked_and_each_makes_a_directory(api):
    builds = Bundle.objects.count()
    made = create_key(api).json()
    assert made["secret"].startswith(f"hw_{made['key_id']}_")
    drain()
    read = api.get(f"{BASE}/keys/{made['key_id']}")
    assert "secret" not in read.json()
    assert send(api, "GET", f"{BASE}/keys/{made['key_id']}", If_None_Match=read["ETag"]).status_code == 304
    turned = send(api, "POST", f"{BASE}/keys/{made['key_id']}/rotate", {"overlap_seconds": 60}).json()
    assert api.get(f"{BASE}/keys/{made['key_id']}").json()["replaced_by"] == turned["key_id"]
    drain()
    gone = api.delete(f"{BASE}/keys/{turned['key_id']}")
    assert gone.json()["revoked_at"]
    assert api.delete(f"{BASE}/keys/{turned['key_id']}").json() == gone.json()
    drain()
    assert DirectoryVersion.objects.count() == 4
    assert Bundle.objects.count() == builds
    assert Release.objects.count() == 1
    refused(send(api, "POST", f"{BASE}/keys/{turned['key_id']}/rotate", {}), 409, "key_not_active")


def test_no_secret_of_a_key_is_written_down_even_for_repeats(api):
    made = create_key(api, Idempotency_Key="once")
    again = create_key(api, Idempotency_Key="once")
    assert again.json() == {**made.json(), "secret": None}
    assert ApiKey.objects.count() == 1
    secret = made.json()["secret"].encode()
    assert all(secret not in bytes(row.body) for row in IdempotentRequest.objects.all())


def test_a_key_is_for_a_tenant_there_is_and_expires_in_the_future(api):
    refused(send(api, "POST", f"{BASE}/keys", {"tenant": "nobody", "name": "k"}), 422, "unknown_tenant")
    past = {"tenant": "acme", "name": "k", "expires_at": "2020-01-01T00:00:00Z"}
    refused(send(api, "POST", f"{BASE}/keys", past), 400, "invalid_expiry")
    refused(send(api, "POST", f"{BASE}/keys", {"tenant": "a\0", "name": "\ud800"}), 422, "invalid_request")
    refused(api.get(f"{BASE}/keys/aaaaaaaaaa"), 404, "not_found")


@pytest.fixture
def limited(api):
    """``api``, with a quota of acme's."""
    put("acme", "spec: {tenant: acme, limits: [{of: requests, per: day, limit: 100}]}", kind="Quota")
    drain()
    return api


MORE = {"quota": "acme", "of": "requests", "per": "day", "reason": "a launch"}


def test_a_limit_is_credited_for_its_period_told_to_gateways_and_recorded(limited):
    builds = Bundle.objects.count()
    made = send(limited, "POST", f"{BASE}/credits", MORE | {"amount": 60})
    assert made.status_code == 201
    assert (made.json()["tenant"], made.json()["amount"]) == ("acme", 60)
    reset = send(limited, "POST", f"{BASE}/credits", MORE).json()
    drain()
    told = read_directory(bytes(DirectoryVersion.objects.latest("serial").content))
    assert [(one.id, one.quota, one.amount) for one in told.credits] == [
        (made.json()["id"], "acme", 60),
        (reset["id"], "acme", None),
    ]
    assert Bundle.objects.count() == builds
    listed = limited.get(f"{BASE}/credits?tenant=acme").json()["items"]
    assert {row["id"] for row in listed} == {made.json()["id"], reset["id"]}
    assert limited.get(f"{BASE}/credits?tenant=globex").json()["items"] == []
    said = AuditEntry.objects.filter(object_kind="Quota", action__startswith="limit.")
    assert set(said.values_list("action", flat=True)) == {"limit.credited", "limit.reset"}


def test_a_credit_is_for_a_limit_there_is_and_at_most_as_large(limited):
    refused(send(limited, "POST", f"{BASE}/credits", MORE | {"per": "month"}), 422, "unknown_limit")
    refused(send(limited, "POST", f"{BASE}/credits", MORE | {"quota": "nobody"}), 422, "unknown_limit")
    refused(send(limited, "POST", f"{BASE}/credits", MORE | {"amount": 0}), 422, "invalid_request")
    assert send(limited, "POST", f"{BASE}/credits", MORE | {"amount": 60}).status_code == 201
    refused(send(limited, "POST", f"{BASE}/credits", MORE | {"amount": 41}), 409, "credit_too_large")
    assert send(limited, "POST", f"{BASE}/credits", MORE | {"amount": 40}).status_code == 201


def test_gateways_are_told_of_a_credit_as_long_as_its_period_may_last(limited):
    send(limited, "POST", f"{BASE}/credits", MORE)
    drain()
    place = Environment.objects.get(name="dev")
    assert read_directory(bytes(directories.current(place).content)).credits
    LimitCredit.objects.update(ends_at=timezone.now())
    assert not read_directory(bytes(directories.current(place).content)).credits


# -- who may ----------------------------------------------------------------------------------------


def bearer(owner, *scopes):
    made = credentials.create_service_token(
        actor=SYSTEM, owner=owner, name="ci", scopes=scopes, life=timedelta(hours=1)
    )
    return {"Authorization": f"Bearer {made.secret}"}


@pytest.mark.parametrize(
    ("scope", "may"),
    [("read", {"status"}), ("release", {"rollback", "tokens"}), ("policy", {"keys"})],
)
def test_a_token_does_what_its_scope_says_and_nothing_else(released, operator, scope, may):
    change(210)
    client, headers = Client(), bearer(operator, scope)
    answers = {
        "status": client.get(f"{BASE}/status", headers=headers),
        "rollback": send(client, "POST", f"{BASE}/rollback", {}, **headers),
        "tokens": send(client, "POST", f"{BASE}/enrolment-tokens", {}, **headers),
        "keys": send(client, "POST", f"{BASE}/keys", {"tenant": "acme", "name": "k"}, **headers),
    }
    assert {name for name, answer in answers.items() if answer.status_code < 300} == may
    for name, answer in answers.items():
        if name not in may:
            refused(answer, 403, "forbidden")


def test_a_token_never_may_more_than_its_owner(released, viewer):
    client = Client()
    headers = bearer(viewer, "read", "release", "policy")
    assert client.get(f"{BASE}/status", headers=headers).status_code == 200
    refused(send(client, "POST", f"{BASE}/rollback", {}, **headers), 403, "forbidden")
    Membership.objects.all().delete()
    refused(client.get(f"{BASE}/status", headers=headers), 403, "forbidden")
