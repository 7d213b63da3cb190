"""What a simulation found good becomes a proposal: these very edits, once, and where they belong."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from rest_framework.test import APIClient

from foundation.actors import SYSTEM
from foundation.audit.models import AuditEntry
from foundation.http import Conflict, Forbidden, Invalid
from policies import selectors as current
from policies import services as policy
from policies.mapping.documents import as_json
from policies.mapping.sets import entries_of
from policies.models import ChangeSet
from simulations import selectors, services
from simulations.mapping.policies import Wanted
from simulations.mapping.promoting import offers_of
from simulations.mapping.results import better_and_worse
from simulations.models import Promotion, State
from tests.policies.conftest import digest_of, put, text
from tests.simulations.conftest import CURRENT, perform, start, upload
from tests.support.found import found

FIGURES = {"ttft.p90": 0.8, "ttft.p99": 1.5, "refused": 3, "cache.token_hit": 0.25}
CAPACITY = "capacity: {input: 1M tokens/min, output: 100k tokens/min, sequences: 256, kv_tokens: 430k}"
BY_NAME = "spec: {{model: llama-3-8b, profile: llama-3-8b-h100-tp1, replicas: {{dns: {0}, count: {1}}}, {2}}}"
ROUTE = "spec: {{rank: {0}, match: {1}, targets: [{{pool: chat}}]{2}}}"
PRIORITY, SHORT = "{tiers: [priority]}", "{prompt_tokens: {max: 100}}"


def by_name(name="chat", count=2):
    return put(name, BY_NAME.format(f"'{name}.internal:8000'", count, CAPACITY), kind="Pool", base=...)


@pytest.fixture
def named(dev):
    """The pool's replicas are found by name: revision 2."""
    return by_name()


def swept(knob, *values, policy=CURRENT, **more):
    """A sweep that is done, with the same figures for each value."""
    return done(start(knob=knob, values=tuple(map(float, values)), policy=policy, **more))


def done(simulation, result=None):
    scenario = simulation.scenario
    tried = [{"value": value, "figures": FIGURES, "inputs": "sha256:0"} for value in scenario.values]
    simulation.result = result or {"sweep": scenario.knob, "tried": tried, "wall_seconds": 1.0}
    simulation.state = State.DONE
    simulation.save()
    return simulation


def promote(simulation, value=None, actor=SYSTEM, **more):
    return services.promote(actor=actor, simulation=simulation, value=value, **more)


def refused(code, simulation, value=None, kind=Conflict, **more):
    with pytest.raises(kind) as refusal:
        promote(simulation, value, **more)
    assert refusal.value.code == code
    return refusal.value


def spec_in(change_set, kind, name):
    row = change_set.operations.get(kind=kind, name=name)
    return as_json(found(row.new_document))["spec"]


def standings(simulation):
    return [each.standing for each in found(offers_of(simulation)).items]


def test_a_number_of_replicas_becomes_a_proposal_that_says_where_it_comes_from(named):
    simulation = swept("replicas:chat", 1, 2, 4)
    assert standings(simulation) == ["ready", "same", "ready"]
    promoted = promote(simulation, 4.0)
    made = promoted.change_set
    assert (promoted.made, made.state, made.base_id) == (True, "open", named.digest)
    assert [(each.kind, each.name, each.base_digest) for each in made.operations.all()] == [
        ("Pool", "chat", digest_of("Pool", "chat"))
    ]
    before = as_json(found(current.head("dev", "Pool", "chat")).document)["spec"]
    after = spec_in(made, "Pool", "chat")
    assert after == {**before, "replicas": {"dns": "chat.internal:8000", "count": 4}}
    assert made.reason == (
        f"4 replicas in pool chat (2 replicas before). Simulation {simulation.pk} turned replicas:chat "
        "through 1, 2, 4 under hour.jsonl; at 4: TTFT p90 800 ms, p99 1.50 s, 3 refused, 25.0% cached"
    )
    assert made.ticket == f"simulation {simulation.pk}"
    assert policy.validate(made) == []
    assert [each.simulation_id for each in selectors.promoted_into(made)] == [simulation.pk]
    entry = AuditEntry.objects.get(action="simulations.promoted")
    assert (entry.object_name, entry.details["change_set"]) == (str(simulation.pk), made.pk)
    policy.merge(actor=SYSTEM, change_set=made)
    assert standings(simulation) == ["ready", "ready", "same"]
    refused("nothing_to_promote", simulation, 4.0)


def test_the_same_again_is_the_same_change_set_and_another_value_another(named):
    simulation = swept("replicas", 1, 4)
    first = promote(simulation, 4.0)
    again = promote(simulation, 4.0)
    assert (again.change_set, again.made) == (first.change_set, False)
    other = promote(simulation, 1.0)
    assert (other.change_set == first.change_set, other.made) == (False, True)
    assert standings(simulation) == ["promoted", "promoted"]
    assert AuditEntry.objects.filter(action="simulations.promoted").count() == 2
    policy.close_change_set(actor=SYSTEM, change_set=first.change_set)
    assert promote(simulation, 4.0).change_set != first.change_set
    assert Promotion.objects.count() == 2


def test_what_others_made_of_the_change_set_meanwhile_is_not_written_over(named):
    simulation = swept("replicas", 1, 4)
    made = promote(simulation, 4.0).change_set
    policy.drop_operation(actor=SYSTEM, change_set=made, kind="Pool", name="chat")
    refused("change_set_moved", simulation, 4.0)
    again = promote(simulation, 4.0, head_digest=services.ANY)
    assert (again.change_set, again.made) == (made, False)
    assert spec_in(made, "Pool", "chat")["replicas"]["count"] == 4


def test_every_route_that_was_simulated_takes_the_time_and_only_it(named):
    put("second", ROUTE.format(50, PRIORITY, ", placement: {strategy: cache_first}"), kind="Route")
    simulation = swept("release_after", 1, 2.5)
    put("third", ROUTE.format(10, SHORT, ""), kind="Route")
    assert standings(simulation) == ["same", "ready"], "a second is what a route says that says nothing"
    made = promote(simulation, 2.5).change_set
    assert spec_in(made, "Route", "everything")["placement"] == {"release_after": "2500ms"}
    assert spec_in(made, "Route", "second")["placement"] == {
        "strategy": "cache_first",
        "release_after": "2500ms",
    }
    assert made.operations.count() == 2, "the third was not simulated"
    assert made.reason.startswith(
        "Release after 2500ms in routes everything (1s before), second (1s before). Simulation "
    )


def draft(count=3):
    made = policy.open_change_set(actor=SYSTEM, environment="dev", reason="three will do")
    operate(made, BY_NAME.format("'chat.internal:8000'", count, CAPACITY), "Pool", "chat")
    return made


def operate(made, rest, kind, name):
    policy.put_operation(
        actor=SYSTEM,
        change_set=made,
        kind=kind,
        name=name,
        body=text(kind, name, rest),
        base_digest=digest_of(kind, name),
    )


def test_what_a_change_set_was_simulated_for_goes_into_it_while_it_is_a_draft(named):
    proposed = draft()
    simulation = swept("replicas", 2, 3, 4, policy=Wanted("change_set", change_set=proposed.pk))
    assert standings(simulation) == ["ready", "same", "ready"]
    promoted = promote(simulation, 4.0)
    assert (promoted.change_set, promoted.made) == (proposed, False)
    assert promote(simulation, 4.0).change_set == proposed
    assert spec_in(proposed, "Pool", "chat")["replicas"]["count"] == 4
    assert standings(simulation) == ["ready", "ready", "promoted"]
    # What was simulated is no longer what it says: whoever means this one says so.
    refused("change_set_moved", simulation, 2.0)
    proposed.refresh_from_db()
    back = promote(simulation, 2.0, head_digest=proposed.head_digest)
    assert (back.change_set, proposed.operations.count()) == (proposed, 0), "two is what is current"
    assert standings(simulation) == ["promoted", "ready", "ready"], "one number, one value"
    assert (proposed.reason, ChangeSet.objects.filter(state="open").count()) == ("three will do", 1)


def test_what_was_simulated_of_a_change_set_that_ended_goes_into_a_new_one(named):
    proposed = draft()
    simulation = swept("replicas", 3, 4, policy=Wanted("change_set", change_set=proposed.pk))
    policy.merge(actor=SYSTEM, change_set=proposed)
    assert standings(simulation) == ["same", "ready"]
    promoted = promote(simulation, 4.0)
    assert (promoted.made, promoted.change_set != proposed) == (True, True)


def test_replicas_that_are_listed_are_for_people_to_list(dev):
    put("later", "spec: {tiers: [standard], default_tier: standard}", kind="Tenant")
    simulation = swept("replicas", 2, 3)
    assert standings(simulation) == ["same", "listed"]
    assert found(offers_of(simulation)).listed == ("chat",)
    why = refused("replicas_listed", simulation, 3.0)
    assert "Pool `chat` lists its replicas by URL, 2 of them: which 3" in why.detail
    assert [error.pointer for error in why.errors] == ["/Pool/chat/spec/replicas/urls"]
    refused("nothing_to_promote", simulation, 2.0)
    assert not ChangeSet.objects.filter(state="open").exists()


def test_what_is_gone_or_not_of_the_policy_or_not_done_is_refused(named):
    put("second", ROUTE.format(50, PRIORITY, ""), kind="Route")
    simulation = swept("release_after", 2)
    put("second", None, kind="Route", base=...)
    assert standings(simulation) == ["gone"]
    assert refused("object_gone", simulation, 2.0).object == {"kind": "Route", "name": "second"}
    faster = swept("speed", 1, 2)
    assert offers_of(faster) is None
    refused("not_of_the_policy", faster, 2.0)
    refused("unknown_value", simulation, 7.0, kind=Invalid)
    refused("unknown_value", simulation, kind=Invalid)
    plain = start()
    assert offers_of(plain) is None
    refused("simulation_not_done", plain)
    refused("unknown_value", done(plain, {"wall_seconds": 1.0}), 2.0, kind=Invalid)
    assert not Promotion.objects.exists()


REPORT = {"completed": 18, "requests": 20, "refused": {"too_busy": 2}, "ttft": {"p95": 0.4}}


def test_an_earlier_revision_comes_back_as_it_was(named, dev):
    simulation = done(start(policy=Wanted("revision", revision=named.digest)), REPORT)
    refused("nothing_to_promote", simulation)
    by_name(count=5)
    put("late", "spec: {band: 50}")
    put("second", ROUTE.format(50, PRIORITY, ""), kind="Route")
    promoted = promote(simulation)
    made = promoted.change_set
    assert {(each.kind, each.name, each.new_document_id) for each in made.operations.all()} == {
        ("Pool", "chat", digest_at(named, "Pool", "chat")),
        ("Tier", "late", None),
        ("Route", "second", None),
    }
    assert made.reason.startswith("Revision 2 again, in place of revision 5. Simulation ")
    assert made.reason.endswith("18 of 20 completed, 2 refused, TTFT p95 400 ms")
    assert (promote(simulation).change_set, Promotion.objects.count()) == (made, 1)
    put("late", "spec: {band: 60}", base=...)
    refused("change_set_moved", simulation, head_digest="sha256:0")
    assert promote(simulation).change_set == made, "again, against what is current now"
    restored = policy.merge(actor=SYSTEM, change_set=made)
    assert restored.root_tree_id == named.root_tree_id
    refused("nothing_to_promote", simulation)


def digest_at(revision, kind, name):
    return next(e.digest for e in entries_of(revision.root_tree_id) if (e.kind, e.name) == (kind, name))


def test_a_change_set_alone_is_no_earlier_revision_until_it_is_merged(named):
    proposed = draft()
    wanted = Wanted("change_set", change_set=proposed.pk)
    simulation = done(start(policy=wanted), REPORT)
    put("late", "spec: {band: 50}")
    refused("nothing_to_promote", simulation)
    policy.merge(actor=SYSTEM, change_set=proposed)
    merged = done(start(policy=wanted), REPORT)
    put("late", None, base=...)
    assert [each.name for each in promote(merged).change_set.operations.all()] == ["late"]


def test_figures_are_counted_for_and_against():
    def differing(**figures):
        return {"difference": {name: {"difference": d, "certain": c} for name, (d, c) in figures.items()}}

    assert better_and_worse({}) is None
    told = differing(
        completed=(-2, True), refused=(2, None), **{"ttft.p99": (0.5, False), "itl.p99": (-0.1, True)}
    )
    assert better_and_worse(told) == (2, 1)
    assert better_and_worse(differing(refused=(0.0, None), **{"cache.token_hit": (0.1, True)})) == (0, 1)


def test_only_those_who_change_policies_promote(named, viewer, operator):
    simulation = swept("replicas", 4)
    refused("forbidden", simulation, 4.0, kind=Forbidden, actor=viewer)
    assert promote(simulation, 4.0, actor=operator).change_set.author_name == operator.get_username()


def test_over_rest(named, viewer, operator, stranger):
    proposed = draft()
    simulation = swept("replicas", 4, 5, policy=Wanted("change_set", change_set=proposed.pk))
    of_current = swept("replicas", 4)
    place, other, nowhere = (
        f"/api/v1/environments/dev/simulations/{number}/promote"
        for number in (simulation.pk, of_current.pk, 999_999)
    )
    api = APIClient()
    for person in (viewer, stranger):
        api.force_authenticate(person)
        assert api.post(place, {"value": 4}, format="json").status_code == 403
    api.force_authenticate(operator)
    stale = api.post(place, {"value": 4}, format="json", HTTP_IF_MATCH=f'"{named.digest}"')
    assert (stale.status_code, stale.json()["code"]) == (412, "change_set_moved")
    joined = api.post(place, {"value": 4}, format="json")
    assert (joined.status_code, joined.json()["id"]) == (200, proposed.pk)
    assert [each["name"] for each in joined.json()["operations"]] == ["chat"]
    moved = api.post(place, {"value": 5}, format="json")
    assert (moved.status_code, moved.json()["code"]) == (409, "change_set_moved")
    for tag in (joined["ETag"], "*"):
        assert api.post(place, {"value": 5}, format="json", HTTP_IF_MATCH=tag).status_code == 200
    made = api.post(other, {"value": 4}, format="json")
    assert (made.status_code, made["Location"]) == (201, f"/api/v1/change-sets/{made.json()['id']}")
    for body, status in (({"value": 9}, 422), ({}, 422), ({"value": "x"}, 422), ({"value": "nan"}, 422)):
        assert api.post(place, body, format="json").status_code == status
    gone = api.post(nowhere, {"value": 4}, format="json")
    assert gone.status_code == 404


@pytest.mark.slow
def test_of_many_who_promote_the_same_at_once_one_opens_the_change_set(shared):
    by_name()
    simulation = swept("replicas", 4)
    ready = threading.Barrier(4, timeout=30)
    found_ = []

    def press():
        ready.wait()
        try:
            found_.append(promote(simulation, 4.0))
        finally:
            connection.close()

    people = [threading.Thread(target=press) for _ in range(4)]
    for each in people:
        each.start()
    for each in people:
        each.join(timeout=30)
    assert (len(found_), sum(each.made for each in found_)) == (4, 1)
    assert {each.change_set.pk for each in found_} == {ChangeSet.objects.get(state="open").pk}


@pytest.mark.slow
def test_a_sweep_that_was_really_run_is_promoted(named):
    simulation = perform(start(upload(), knob="replicas", values=(1.0, 4.0)))
    made = promote(simulation, 4.0).change_set
    assert "; at 4: TTFT p90 " in made.reason
    assert simulation.result["tried"][1]["figures"]["refused"] == 0
    assert ", 0 refused" in made.reason
