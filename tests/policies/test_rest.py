"""Policy over REST: versions, repeats, pages, problems, and who may."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client

from foundation.actors import SYSTEM
from foundation.http.models import IdempotentRequest
from policies import selectors, services
from policies.models import ChangeSet, Revision
from tenancy import credentials
from tests.policies.conftest import digest_of, put, text
from tests.support.policies import WORLD, written

BASE = "/api/v1/environments/dev"
FLEX = text("Tier", "flex", "spec: {band: 100, queue: {max_wait: 2s}}")
OTHER = text("Tier", "flex", "spec: {band: 120}")


@pytest.fixture
def api(dev, operator):
    """A client with the session of an operator."""
    client = Client()
    client.force_login(operator)
    return client


def send(client, method, path, body=None, content_type="application/yaml", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body, content_type = json.dumps(body), "application/json"
    return client.generic(method, path, body or b"", content_type=content_type, headers=headers)


def refused(response, status, code):
    assert response["Content-Type"] == "application/problem+json", response.content
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert {"type", "title", "detail", "retryable", "retry_after", "object", "errors"} <= problem.keys()
    return problem


def create_flex(api, **headers):
    return send(api, "PUT", f"{BASE}/documents/Tier/flex", FLEX, If_None_Match="*", **headers)


# -- documents --------------------------------------------------------------------------------------


def test_a_document_is_created_read_changed_and_deleted_by_version(api):
    created = create_flex(api)
    assert created.status_code == 201
    assert created.json()["revision"]["number"] == 2
    read = api.get(f"{BASE}/documents/Tier/flex")
    assert read["ETag"] == created["ETag"] == f'"{digest_of("Tier", "flex")}"'
    assert read.json()["spec"]["queue"] == {"max_wait": "2s"}
    changed = send(api, "PUT", f"{BASE}/documents/Tier/flex", OTHER, If_Match=read["ETag"])
    assert (changed.status_code, changed.json()["revision"]["number"]) == (200, 3)
    gone = send(api, "DELETE", f"{BASE}/documents/Tier/flex", If_Match=changed["ETag"])
    assert (gone.status_code, gone.json()["digest"]) == (200, None)
    refused(api.get(f"{BASE}/documents/Tier/flex"), 404, "not_found")


def test_a_document_is_read_as_yaml_and_written_back_as_it_was(api):
    create_flex(api)
    read = api.get(f"{BASE}/documents/Tier/flex", headers={"Accept": "application/yaml"})
    assert read["Content-Type"] == "application/yaml; charset=utf-8"
    assert read.content.decode() == (
        "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: flex}\n"
        "spec:\n  band: 100\n  queue: {max_wait: 2s}\n"
    )
    again = send(api, "PUT", f"{BASE}/documents/Tier/flex", read.content, If_Match=read["ETag"])
    assert again.json()["revision"]["number"] == 2


def test_what_the_caller_already_holds_is_not_sent_again(api):
    tag = create_flex(api)["ETag"]
    held = api.get(f"{BASE}/documents/Tier/flex", headers={"If-None-Match": f'"other", {tag}'})
    assert (held.status_code, held.content, held["ETag"]) == (304, b"", tag)


def test_a_tenant_below_another_has_its_path_for_an_address(api):
    team = text("Tenant", "acme/search", "spec: {tiers: [standard]}")
    assert (
        send(api, "PUT", f"{BASE}/documents/Tenant/acme/search", team, If_None_Match="*").status_code == 201
    )
    assert api.get(f"{BASE}/documents/Tenant/acme/search").json()["metadata"]["name"] == "acme/search"
    below = api.get(f"{BASE}/documents/Tenant", {"tenant": "acme"}).json()["items"]
    assert [row["name"] for row in below] == ["acme", "acme/search"]


def test_a_version_that_is_no_longer_current_is_refused_with_all_three_sides(api):
    seen = create_flex(api)["ETag"]
    put("flex", "spec: {band: 90}", base=...)
    stale = send(api, "PUT", f"{BASE}/documents/Tier/flex", OTHER, If_Match=seen)
    problem = refused(stale, 412, "stale_edit")
    sides = problem["conflicts"][0]
    bands = [sides[side]["document"]["spec"]["band"] for side in ("base", "ours", "theirs")]
    assert bands == [100, 120, 90]
    assert send(api, "PUT", f"{BASE}/documents/Tier/flex", OTHER, If_Match="*").status_code == 200


def test_a_revision_is_read_page_by_page_as_it_was(api):
    create_flex(api)
    put("flex", "spec: {band: 90}", base=...)
    first, second, third = (f"{BASE}/revisions/{n}/documents" for n in (1, 2, 3))
    held = api.get(second).json()
    names = [(d["kind"], d["metadata"]["name"]) for d in held["items"]]
    assert names == sorted(names)
    assert held["next"] is None
    assert ("Tier", "flex") in names
    assert len(api.get(first).json()["items"]) == len(names) - 1
    bands = [
        next(d["spec"]["band"] for d in api.get(path).json()["items"] if d["metadata"]["name"] == "flex")
        for path in (
            second,
            third,
            f"{BASE}/revisions/current/documents",
            f"{BASE}/revisions/{held['revision']['digest']}/documents",
        )
    ]
    assert bands == [100, 90, 90, 100]
    read, cursor = [], ""
    while cursor is not None:
        page = api.get(second, {"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) <= 3
        read += page["items"]
        cursor = page["next"]
    assert read == held["items"]
    assert api.get(second, {"cursor": "9999"}).json()["items"] == []


def test_a_revision_that_is_not_there_is_not_read(api):
    services.create_environment(actor=SYSTEM, environment="other")
    refused(api.get(f"{BASE}/revisions/99/documents"), 404, "unknown_revision")
    refused(api.get(f"{BASE}/revisions/sha256:{'0' * 64}/documents"), 404, "unknown_revision")
    refused(api.get("/api/v1/environments/other/revisions/current/documents"), 404, "unknown_revision")
    mine = api.get(f"{BASE}/revisions/1/documents").json()["revision"]["digest"]
    refused(api.get(f"/api/v1/environments/other/revisions/{mine}/documents"), 404, "unknown_revision")
    for cursor in ("-1", "one", "1e3", "9" * 30, "\u0661"):
        refused(api.get(f"{BASE}/revisions/1/documents", {"cursor": cursor}), 400, "malformed_query")


PRECONDITIONS = {
    "none": ({}, 428, "precondition_required"),
    "both": ({"If_Match": '"a"', "If_None_Match": "*"}, 400, "ambiguous_precondition"),
    "a bare word": ({"If_Match": "sha256:abc"}, 400, "malformed_precondition"),
    "a weak tag": ({"If_Match": 'W/"a"'}, 400, "malformed_precondition"),
    "several tags": ({"If_Match": '"a", "b"'}, 400, "malformed_precondition"),
    "not this version": ({"If_None_Match": '"a"'}, 400, "malformed_precondition"),
    "any version of nothing": ({"If_Match": "*"}, 404, "not_found"),
    "a version of nothing": ({"If_Match": '"sha256:abc"'}, 412, "stale_edit"),
}


@pytest.mark.parametrize("what", PRECONDITIONS)
def test_a_change_names_the_version_it_changes(api, what):
    headers, status, code = PRECONDITIONS[what]
    refused(send(api, "PUT", f"{BASE}/documents/Tier/flex", FLEX, **headers), status, code)
    assert Revision.objects.count() == 1


def test_mistakes_come_back_at_their_fields(api):
    body = text("Tier", "flex", "spec: {bnad: 100, queue: {max_wait: 2}}")
    problem = refused(
        send(api, "PUT", f"{BASE}/documents/Tier/flex", body, If_None_Match="*"), 422, "invalid_document"
    )
    found = {(error["pointer"], error["code"]) for error in problem["errors"]}
    assert found == {("/spec/bnad", "SPEC005"), ("/spec/queue/max_wait", "SPEC007")}
    assert problem["diagnostics"][0]["location"]["file"] == "Tier/flex.yaml"


ADDRESSES = {
    "an environment nobody created": ("/api/v1/environments/prod/documents/Tier", 404, "unknown_environment"),
    "an unknown kind": (f"{BASE}/documents/Teir", 404, "unknown_kind"),
    "a name no object can have": (f"{BASE}/documents/Tier/No%20Name", 404, "not_found"),
    "a zero byte": (f"{BASE}/documents/Tier/a%00b", 404, "not_found"),
    "no such endpoint": ("/api/v2/anything", 404, "not_found"),
    "a cursor of nobody's": (f"{BASE}/documents/Tier?cursor=AAAA", 400, "malformed_query"),
    "a cursor of another list": (f"{BASE}/documents/Tier?cursor=WzEsMl0", 400, "malformed_query"),
    "a cursor that is a query": (f"{BASE}/documents/Tier?cursor=W3siYSI6MX1d", 400, "malformed_query"),
    "a page of none": (f"{BASE}/documents/Tier?limit=0", 400, "malformed_query"),
    "a search for a zero byte": (f"{BASE}/documents/Tier?search=%00", 400, "malformed_query"),
    "a change set beyond all numbers": (f"/api/v1/change-sets/{10**30}", 404, "not_found"),
    "a change set that is not there": ("/api/v1/change-sets/999", 404, "not_found"),
}


@pytest.mark.parametrize("what", ADDRESSES)
def test_an_address_that_leads_nowhere_says_so_in_the_one_shape(api, what):
    path, status, code = ADDRESSES[what]
    refused(api.get(path), status, code)


def test_only_yaml_and_json_are_read(api):
    response = send(api, "PUT", f"{BASE}/documents/Tier/flex", FLEX, "text/plain", If_None_Match="*")
    refused(response, 415, "unsupported_media_type")
    refused(send(api, "POST", "/api/v1/change-sets", b"{", "application/json"), 400, "parse_error")
    deep = b'{"environment": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    refused(send(api, "POST", "/api/v1/change-sets", deep, "application/json"), 400, "parse_error")
    refused(send(api, "POST", "/api/v1/change-sets", b"a", "text/csv"), 415, "unsupported_media_type")
    refused(api.patch("/api/v1/change-sets"), 405, "method_not_allowed")


def test_a_long_list_is_read_page_by_page_while_it_changes(api):
    for number in range(7):
        put(f"t{number}", f"spec: {{tiers: [standard], labels: {{n: n{number}}}}}", kind="Tenant")
    seen, cursor = [], ""
    while cursor is not None:
        answer = api.get(
            f"{BASE}/documents/Tenant", {"limit": 3, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [row["name"] for row in answer["items"]]
        cursor = answer["next"]
        if len(seen) == 3:
            put("aaa", "spec: {tiers: [standard]}", kind="Tenant")  # behind the reader: not shown
            put("t5", None, kind="Tenant", base=...)
    assert seen == ["acme", "t0", "t1", "t2", "t3", "t4", "t6"]
    found = api.get(f"{BASE}/documents/Tenant", {"search": "AC"}).json()["items"]
    assert [row["name"] for row in found] == ["acme"]


# -- repeats ----------------------------------------------------------------------------------------


def test_a_request_sent_twice_under_one_key_is_done_once(api):
    first = create_flex(api, Idempotency_Key="one")
    again = create_flex(api, Idempotency_Key="one")
    assert (again.status_code, again.content, again["ETag"]) == (201, first.content, first["ETag"])
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Revision.objects.count() == 2


def test_a_key_is_good_for_one_request_only(api, operator):
    create_flex(api, Idempotency_Key="one")
    body = send(api, "PUT", f"{BASE}/documents/Tier/flex", OTHER, If_None_Match="*", Idempotency_Key="one")
    refused(body, 409, "idempotency_conflict")
    path = send(api, "PUT", f"{BASE}/documents/Tier/flexx", FLEX, If_None_Match="*", Idempotency_Key="one")
    refused(path, 409, "idempotency_conflict")
    version = send(api, "PUT", f"{BASE}/documents/Tier/flex", FLEX, If_Match='"a"', Idempotency_Key="one")
    refused(version, 409, "idempotency_conflict")
    refused(create_flex(api, Idempotency_Key="two words"), 400, "malformed_idempotency_key")


def test_a_refusal_is_repeated_like_any_answer(api):
    bad = text("Tier", "flex", "spec: {band: 5000}")
    path = f"{BASE}/documents/Tier/flex"
    first = send(api, "PUT", path, bad, If_None_Match="*", Idempotency_Key="one")
    put("batch", "spec: {band: 50}")
    again = send(api, "PUT", path, bad, If_None_Match="*", Idempotency_Key="one")
    assert refused(again, 422, "invalid_document") == first.json()
    assert again["Idempotency-Replayed"] == "true"


def test_a_request_still_being_answered_is_not_begun_again(api):
    create_flex(api, Idempotency_Key="one")
    IdempotentRequest.objects.update(status=None)
    response = create_flex(api, Idempotency_Key="one")
    assert refused(response, 409, "idempotency_in_progress")["retryable"]
    assert response["Retry-After"] == "1"


def test_keys_of_two_callers_are_not_each_others(api, dev):
    from tests.policies.conftest import person

    create_flex(api, Idempotency_Key="one")
    other = Client()
    other.force_login(person("bob", "operator"))
    response = create_flex(other, Idempotency_Key="one")
    assert "Idempotency-Replayed" not in response
    assert response.status_code == 201  # the same bytes are already there: nothing to do


def test_a_crash_gives_the_key_back(api, monkeypatch):
    def crash(**_):
        raise ZeroDivisionError

    monkeypatch.setattr("policies.services.save_document", crash)
    api.raise_request_exception = False
    assert create_flex(api, Idempotency_Key="one").status_code == 500
    monkeypatch.undo()
    assert create_flex(api, Idempotency_Key="one").status_code == 201


# -- who --------------------------------------------------------------------------------------------


def token_for(owner, *scopes, life=timedelta(hours=1)):
    made = credentials.create_service_token(actor=SYSTEM, owner=owner, name="ci", scopes=scopes, life=life)
    return {"Authorization": f"Bearer {made.secret}"}


def test_a_token_writes_without_a_session_and_is_named_in_the_record(dev, operator):
    response = create_flex(Client(enforce_csrf_checks=True), **token_for(operator, "read", "policy"))
    assert response.status_code == 201
    assert response.json()["revision"]["author_name"] == "token:ci"


def test_whoever_is_not_known_is_asked_who_they_are(dev, operator):
    refused(Client().get(f"{BASE}/documents/Tier"), 401, "not_authenticated")
    response = Client().get(f"{BASE}/documents/Tier", headers={"Authorization": "Bearer hws_wrong"})
    refused(response, 401, "authentication_failed")
    assert response["WWW-Authenticate"] == "Bearer"
    headers = token_for(operator, "read", life=timedelta(microseconds=1))
    refused(Client().get(f"{BASE}/documents/Tier", headers=headers), 401, "authentication_failed")


def test_readers_read_and_nobody_else_does(dev, viewer, stranger, operator):
    for user, scope, reads, status in (
        (viewer, "read", True, 403),
        (viewer, "policy", False, 403),
        (stranger, "read", False, 403),
        (operator, "read", True, 403),
    ):
        client, headers = Client(), token_for(user, scope)
        listed = client.get(f"{BASE}/documents/Tier", headers=headers)
        assert listed.status_code == (200 if reads else 403), (user, scope)
        refused(create_flex(client, **headers), status, "forbidden")
    assert Revision.objects.count() == 1


def test_a_session_alone_does_not_write_from_another_site(dev, operator):
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    refused(create_flex(client), 403, "permission_denied")


# -- change sets, plan, apply -------------------------------------------------------------------------


def opened(api, **more):
    response = send(api, "POST", "/api/v1/change-sets", {"environment": "dev", "reason": "why", **more})
    assert response.status_code == 201
    return response


def operation(band, name="flex", base=None):
    document = {
        "apiVersion": "headway/v1",
        "kind": "Tier",
        "metadata": {"name": name},
        "spec": {"band": band},
    }
    return {"kind": "Tier", "name": name, "base_digest": base, "document": document}


def test_a_change_set_is_filled_checked_and_merged(api):
    change_set = opened(api)
    path = change_set["Location"]
    filled = send(api, "POST", f"{path}/operations", operation(100))
    assert [row["name"] for row in filled.json()["operations"]] == ["flex"]
    assert filled["ETag"] != change_set["ETag"]
    assert api.get(f"{path}/diagnostics").json()["ok"] is True
    refused(send(api, "POST", f"{path}/merge", If_Match=change_set["ETag"]), 412, "change_set_moved")
    merged = send(api, "POST", f"{path}/merge", If_Match=filled["ETag"])
    assert merged.json()["revision"]["number"] == 2
    assert api.get(path).json()["state"] == "merged"
    refused(send(api, "POST", f"{path}/merge"), 409, "change_set_ended")
    refused(send(api, "POST", f"{path}/operations", operation(110)), 409, "change_set_ended")


def test_a_stale_change_set_is_refused_with_409(api):
    path = opened(api)["Location"]
    send(api, "POST", f"{path}/operations", operation(100))
    put("flex", "spec: {band: 90}")
    refused(send(api, "POST", f"{path}/merge"), 409, "stale_edit")
    refused(api.get(f"{path}/diagnostics"), 409, "stale_edit")
    assert api.get(path).json()["state"] == "open"


def test_an_operation_is_taken_back_and_a_change_set_given_up(api):
    path = opened(api)["Location"]
    send(api, "POST", f"{path}/operations", operation(100))
    assert send(api, "DELETE", f"{path}/operations/Tier/flex").json()["operations"] == []
    assert send(api, "POST", f"{path}/close").json()["state"] == "closed"
    states = api.get("/api/v1/change-sets", {"environment": "dev", "state": "closed"}).json()["items"]
    assert [row["id"] for row in states] == [ChangeSet.objects.latest("id").pk]


def test_what_a_change_set_is_sent_is_checked_field_by_field(api):
    problem = refused(
        send(api, "POST", "/api/v1/change-sets", {"reason": "x" * 2000}), 422, "invalid_request"
    )
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/environment", "required"),
        ("/reason", "max_length"),
    }
    path = opened(api)["Location"]
    problem = refused(send(api, "POST", f"{path}/operations", operation(5000)), 422, "invalid_document")
    assert problem["errors"][0]["pointer"] == "/spec/band"
    unknown = {**operation(1), "kind": "Teir"}
    refused(send(api, "POST", f"{path}/operations", unknown), 422, "unknown_kind")


def files(**tiers):
    made = [{"name": f"{key}.yaml", "text": written(key, rest)} for key, rest in WORLD.items()]
    made += [
        {"name": f"{name}.yaml", "text": text("Tier", name, f"spec: {{band: {band}}}").decode()}
        for name, band in tiers.items()
    ]
    return made


def test_what_was_planned_is_what_is_applied(api):
    planned = send(api, "POST", f"{BASE}/plan", {"files": files(flex=100)}).json()
    assert planned["ok"]
    assert [(row["action"], row["name"]) for row in planned["operations"]] == [("create", "flex")]
    assert Revision.objects.count() == 1
    assert [c["category"] for c in planned["difference"]["changes"]] == ["widening"]
    assert planned["difference"]["changes"][0]["sentence"] == "flex: tier added"
    order = {"files": files(flex=100), "plan_digest": planned["plan_digest"]}
    applied = send(api, "POST", f"{BASE}/apply", order)
    assert applied.json()["revision"]["number"] == 2
    moved = refused(send(api, "POST", f"{BASE}/apply", order), 409, "base_moved")
    assert moved["plan"]["operations"] == []


def test_a_plan_is_void_once_the_base_or_the_files_have_changed(api):
    digest = send(api, "POST", f"{BASE}/plan", {"files": files(flex=100)}).json()["plan_digest"]
    other = {"files": files(flex=110), "plan_digest": digest}
    refused(send(api, "POST", f"{BASE}/apply", other), 409, "base_moved")
    put("batch", "spec: {band: 50}")
    same = {"files": files(flex=100), "plan_digest": digest}
    refused(send(api, "POST", f"{BASE}/apply", same), 409, "base_moved")


def test_only_a_pruning_plan_deletes_what_no_file_holds(api):
    put("flex", "spec: {band: 100}")
    kept = send(api, "POST", f"{BASE}/plan", {"files": files()}).json()
    assert kept["operations"] == []
    pruned = send(api, "POST", f"{BASE}/plan", {"files": files(), "prune": True}).json()
    assert [(row["action"], row["name"]) for row in pruned["operations"]] == [("delete", "flex")]
    order = {"files": files(), "prune": True, "plan_digest": pruned["plan_digest"]}
    assert send(api, "POST", f"{BASE}/apply", order).status_code == 200
    assert selectors.head("dev", "Tier", "flex") is None


def test_an_unsound_plan_says_why_and_is_not_applied(api):
    bad = [*files(), {"name": "x.yaml", "text": text("Tier", "flex", "spec: {bnad: 1}").decode()}]
    planned = send(api, "POST", f"{BASE}/plan", {"files": bad}).json()
    assert not planned["ok"]
    assert {found["code"] for found in planned["diagnostics"]} >= {"SPEC005"}
    assert planned["diagnostics"][0]["location"]["file"] == "x.yaml"
    order = {"files": bad, "plan_digest": planned["plan_digest"]}
    refused(send(api, "POST", f"{BASE}/apply", order), 422, "unsound_policy")
    assert Revision.objects.count() == 1


def test_environments_and_revisions_are_listed(api, dev):
    put("flex", "spec: {band: 100}")
    [row] = api.get("/api/v1/environments").json()
    assert (row["environment"], row["revision"]["number"]) == ("dev", 2)
    answer = api.get(f"{BASE}/revisions", {"limit": 1}).json()
    assert [each["number"] for each in answer["items"]] == [2]
    rest = api.get(f"{BASE}/revisions", {"cursor": answer["next"]}).json()
    assert [each["digest"] for each in rest["items"]] == [dev.digest]


def test_the_schema_names_every_endpoint(api):
    schema = api.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    assert "/api/v1/environments/{environment}/documents/{kind}/{name}" in schema["paths"]
    assert schema["components"]["securitySchemes"]["serviceToken"]["scheme"] == "bearer"
