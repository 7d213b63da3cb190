"""The one door: what a merge writes, what it refuses, and whom it tells."""

from __future__ import annotations

import pytest

from coordination.bundle.tree import Entry, root_of
from foundation import audit
from foundation.actors import SYSTEM, Automaton
from foundation.audit.models import AuditEntry
from foundation.http import Conflict, Forbidden, Invalid, NotFound
from foundation.outbox.models import OutboxEvent
from policies import selectors, services
from policies.models import ChangeSet, Document, Head, Operation, Revision
from tests.policies.conftest import digest_of, put, text
from tests.support.found import found
from tests.support.policies import WORLD

FLEX = "spec: {service_tier: [flex], band: 100}"


def problem(refused):
    return refused.value.problem()


def test_a_folder_becomes_the_first_revision_and_every_document_is_found_by_what_it_says(dev):
    assert (dev.number, dev.parent) == (1, None)
    assert Head.objects.filter(environment="dev").count() == len(WORLD)
    route = found(selectors.head("dev", "Route", "everything"))
    assert route.rank == 100
    tenant = found(selectors.head("dev", "Tenant", "acme"))
    assert tenant.tenant == "acme"
    users = {(row.kind, row.name, row.pointer) for row in selectors.used_by("dev", "Pool", "chat")}
    assert users == {("Route", "everything", "/spec/targets/0/pool")}


def test_the_root_tree_is_that_of_the_documents_alone(dev):
    entries = [Entry(row.kind, row.name, row.document_id) for row in Head.objects.all()]
    assert dev.root_tree_id == root_of(entries)


def test_saving_writes_one_revision_one_change_set_one_audit_entry_and_one_event(dev, operator):
    before = AuditEntry.objects.count(), OutboxEvent.objects.count()
    revision = put("flex", FLEX, actor=operator, reason="a cheap lane")
    assert revision.number == 2
    assert revision.parent == dev
    change_set = revision.change_set
    assert (change_set.state, change_set.reason, change_set.author) == ("merged", "a cheap lane", operator)
    assert (AuditEntry.objects.count(), OutboxEvent.objects.count()) == (before[0] + 1, before[1] + 1)
    event = OutboxEvent.objects.latest("id")
    assert (event.topic, event.payload) == (
        "policies.merged",
        {"environment": "dev", "revision": revision.digest},
    )
    entry = AuditEntry.objects.latest("seq")
    assert (entry.actor, entry.action, entry.details["revision"]) == (
        operator,
        "policies.merged",
        revision.digest,
    )
    assert audit.verify().holds


def test_saving_what_is_already_there_makes_no_revision(dev):
    assert put("priority", WORLD["Tier/priority"], base=...) == dev
    assert Revision.objects.count() == 1
    assert ChangeSet.objects.count() == 1


def test_equal_meanings_are_one_document(dev):
    first = put("flex", FLEX)
    again = put("flex", "spec:\n  band: 100\n  service_tier:\n    - flex", base=...)
    assert again == first


def test_a_stale_edit_is_refused_with_base_ours_and_theirs(dev):
    put("flex", FLEX)
    seen = digest_of("Tier", "flex")
    put("flex", "spec: {service_tier: [flex], band: 120}", base=seen)
    with pytest.raises(Conflict) as refused:
        put("flex", "spec: {service_tier: [flex], band: 90}", base=seen)
    told = problem(refused)
    assert (told["code"], told["status"]) == ("stale_edit", 409)
    assert told["object"] == {"kind": "Tier", "name": "flex"}
    [conflict] = told["conflicts"]
    bands = [conflict[side]["document"]["spec"]["band"] for side in ("base", "ours", "theirs")]
    assert bands == [100, 90, 120]


def test_creating_what_somebody_else_just_created_is_stale_unless_it_is_the_same(dev):
    put("flex", FLEX)
    assert put("flex", FLEX).number == 2
    with pytest.raises(Conflict) as refused:
        put("flex", "spec: {band: 90}")
    assert problem(refused)["conflicts"][0]["base"] is None


def test_editing_what_somebody_else_deleted_is_stale(dev):
    put("flex", FLEX)
    seen = digest_of("Tier", "flex")
    put("flex", None, base=seen)
    assert digest_of("Tier", "flex") is None
    with pytest.raises(Conflict) as refused:
        put("flex", "spec: {band: 90}", base=seen)
    assert problem(refused)["conflicts"][0]["theirs"] is None


def test_edits_of_different_objects_from_the_same_base_both_land(dev):
    first = services.open_change_set(actor=SYSTEM, environment="dev")
    second = services.open_change_set(actor=SYSTEM, environment="dev")
    for change_set, name, band in ((first, "flex", 100), (second, "batch", 50)):
        services.put_operation(
            actor=SYSTEM,
            change_set=change_set,
            kind="Tier",
            name=name,
            body=text("Tier", name, f"spec: {{band: {band}}}"),
            base_digest=None,
        )
    assert services.merge(actor=SYSTEM, change_set=first).number == 2
    assert services.merge(actor=SYSTEM, change_set=second).number == 3
    assert {"flex", "batch"} <= set(selectors.heads("dev", "Tier").values_list("name", flat=True))


def test_an_oversold_edit_is_refused_at_its_field_whichever_object_the_finding_is_about(dev):
    rest = (
        "spec: {{tenant: acme, pool: chat, tier: priority, throughput: {{input: {}, output: 0 tokens/min}}}}"
    )
    put("early", rest.format("400k tokens/min"), kind="Reservation")
    put("late", rest.format("400k tokens/min"), kind="Reservation")
    before = selectors.current_revision("dev")
    for name in ("early", "late"):
        with pytest.raises(Invalid) as refused:
            put(name, rest.format("900k tokens/min"), kind="Reservation", base=...)
        told = problem(refused)
        assert (told["status"], told["code"]) == (422, "unsound_policy")
        [error] = told["errors"]
        assert (error["pointer"], error["code"]) == ("/spec/throughput", "CAP201")
        assert "oversold" in error["message"]
    assert selectors.current_revision("dev") == before


ELSEWHERE = b"""
apiVersion: headway/v1
kind: Tier
metadata: {name: flex, environments: [production]}
spec: {band: 1}
"""
TWO = text("Tier", "flex", FLEX) + b"---\n" + text("Tier", "batch", "spec: {band: 50}")
BAD_BODIES = {
    "an unknown field": (text("Tier", "flex", "spec: {bandd: 1, band: 2}"), "/spec/bandd", "SPEC005"),
    "a value out of range": (text("Tier", "flex", "spec: {band: 5000}"), "/spec/band", "SPEC008"),
    "another object's name": (text("Tier", "other", FLEX), "/metadata/name", "wrong_object"),
    "another kind": (text("Model", "flex", "spec: {context_window: 1k}"), "/kind", "wrong_object"),
    "another environment": (ELSEWHERE, "/metadata/environments", "wrong_environment"),
    "two documents": (TWO, "", "one_document"),
    "nothing": (b"", "", "one_document"),
    "not YAML": (b"a: [", "", "SPEC001"),
    "not text": (b"\xff\xfe\x00", "", "SPEC001"),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_will_not_do_is_refused_at_its_field(dev, what):
    body, pointer, code = BAD_BODIES[what]
    with pytest.raises(Invalid) as refused:
        services.save_document(
            actor=SYSTEM, environment="dev", kind="Tier", name="flex", body=body, base_digest=None
        )
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in problem(refused)["errors"]}
    assert digest_of("Tier", "flex") is None


def test_an_object_others_need_cannot_be_deleted(dev):
    with pytest.raises(Invalid) as refused:
        put("chat", None, kind="Pool", base=...)
    [error] = [each for each in problem(refused)["errors"] if each["code"] == "REF101"]
    assert "everything" in error["message"]


def test_a_merged_change_set_cannot_be_merged_or_edited_again(dev):
    change_set = services.open_change_set(actor=SYSTEM, environment="dev")
    given = {"kind": "Tier", "name": "flex", "body": text("Tier", "flex", FLEX), "base_digest": None}
    services.put_operation(actor=SYSTEM, change_set=change_set, **given)
    services.merge(actor=SYSTEM, change_set=change_set)
    for again in (
        lambda: services.merge(actor=SYSTEM, change_set=change_set),
        lambda: services.put_operation(actor=SYSTEM, change_set=change_set, **given),
        lambda: services.close_change_set(actor=SYSTEM, change_set=change_set),
    ):
        with pytest.raises(Conflict) as refused:
            again()
        assert problem(refused)["code"] == "change_set_ended"


def test_any_edit_of_a_change_set_gives_it_another_head_digest(dev):
    change_set = services.open_change_set(actor=SYSTEM, environment="dev")
    seen = [change_set.head_digest]
    for band in (100, 110):
        body = text("Tier", "flex", f"spec: {{band: {band}}}")
        services.put_operation(
            actor=SYSTEM, change_set=change_set, kind="Tier", name="flex", body=body, base_digest=None
        )
        seen.append(ChangeSet.objects.get(pk=change_set.pk).head_digest)
    services.drop_operation(actor=SYSTEM, change_set=change_set, kind="Tier", name="flex")
    assert len(set(seen)) == 3
    assert ChangeSet.objects.get(pk=change_set.pk).head_digest == seen[0]
    assert Operation.objects.filter(change_set=change_set).count() == 0


def test_validate_says_what_merge_would(dev):
    change_set = services.open_change_set(actor=SYSTEM, environment="dev")
    services.put_operation(
        actor=SYSTEM,
        change_set=change_set,
        kind="Route",
        name="other",
        body=text("Route", "other", "spec: {rank: 5, match: {tiers: [priority]}, targets: [{pool: chta}]}"),
        base_digest=None,
    )
    found = services.validate(change_set)
    assert [(each.code, each.json_pointer) for each in found if each.severity == "error"] == [
        ("REF101", "/spec/targets/0/pool")
    ]


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_only_operators_change_policy(dev, request, who):
    actor = request.getfixturevalue(who)
    for change in (
        lambda: put("flex", FLEX, actor=actor),
        lambda: services.open_change_set(actor=actor, environment="dev"),
        lambda: services.create_environment(actor=actor, environment="prod"),
        lambda: services.rebuild_head(actor=actor, environment="dev"),
    ):
        with pytest.raises(Forbidden):
            change()
    assert Document.objects.count() == len(WORLD)


def test_a_token_may_do_what_both_its_scopes_and_its_owner_may(dev, operator, viewer):
    assert put("flex", FLEX, actor=Automaton("token:ci", operator, frozenset({"policy"}))).number == 2
    assert Revision.objects.latest("number").author_name == "token:ci"
    for actor in (
        Automaton("token:ci", operator, frozenset({"read"})),
        Automaton("token:ci", viewer, frozenset({"policy"})),
        Automaton("headway"),
    ):
        with pytest.raises(Forbidden):
            put("batch", "spec: {band: 50}", actor=actor)


def test_an_environment_nobody_created_has_no_policy(db):
    with pytest.raises(NotFound) as refused:
        put("flex", FLEX, environment="prod")
    assert problem(refused)["code"] == "unknown_environment"


def test_environments_do_not_see_each_other(dev, world_folder):
    services.load_folder(actor=SYSTEM, environment="prod", folder=world_folder)
    put("flex", FLEX)
    assert digest_of("Tier", "flex", "prod") is None
    assert found(selectors.current_revision("prod")).number == 1
    assert Document.objects.filter(name="flex").count() == 1


def test_what_was_merged_of_one_object_is_its_history(dev, operator):
    put("flex", FLEX, actor=operator)
    put("flex", "spec: {band: 120}", base=..., actor=operator)
    put("flex", None, base=..., actor=operator)
    told = [bool(row.new_document) for row in selectors.history("dev", "Tier", "flex")]
    assert told == [False, True, True]
