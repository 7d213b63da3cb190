"""What is asked for is looked at before anybody works on it; each policy side means what it says."""

from __future__ import annotations

import pytest

from coordination.spec import SourceFile
from foundation.actors import SYSTEM
from foundation.http import Forbidden, Invalid, NotFound, Refused
from foundation.outbox.models import OutboxEvent
from policies import selectors
from policies import services as policy
from simulations import leases, services, tasks, work
from simulations.mapping.inputs import Ask
from simulations.mapping.policies import Wanted
from simulations.models import ReleasedRevision, Run, Scenario, State
from simulations.services import starting
from tests.policies.conftest import digest_of, put, text
from tests.simulations.conftest import CURRENT, perform, start, upload
from tests.support.policies import world_with

FASTER = "spec: {service_tier: [priority, fast], band: 310}"


def change_set(rest=FASTER, name="priority", kind="Tier"):
    made = policy.open_change_set(actor=SYSTEM, environment="dev")
    policy.put_operation(
        actor=SYSTEM,
        change_set=made,
        kind=kind,
        name=name,
        body=text(kind, name, rest),
        base_digest=None if name.startswith("new") else digest_of(kind, name),
    )
    return made


def test_a_change_set_is_simulated_on_top_of_what_is_current(dev):
    made = change_set()
    scenario = start(policy=Wanted("change_set", change_set=made.pk), against=CURRENT).scenario
    assert scenario.policy_id != scenario.against_id
    assert (scenario.change_set_id, scenario.head_digest) == (made.pk, made.head_digest)
    assert scenario.policy_label == f"change set {made.pk}"
    assert scenario.against_label == "revision 1 (current)"
    policy.merge(actor=SYSTEM, change_set=made)
    merged = start(policy=CURRENT).scenario
    assert merged.policy_id == scenario.policy_id
    again = start(policy=Wanted("change_set", change_set=made.pk)).scenario
    assert again.policy_id == scenario.policy_id


def test_an_unsound_change_set_is_refused_with_what_is_wrong(dev):
    made = change_set("spec: {tiers: [nowhere], default_tier: nowhere}", "new", "Tenant")
    with pytest.raises(Invalid) as refused:
        start(policy=Wanted("change_set", change_set=made.pk))
    assert refused.value.code == "unsound_policy"
    assert refused.value.errors


def test_files_that_nobody_merged_yet_are_simulated_as_they_are(dev):
    files = tuple(world_with("", without=()))
    scenario = start(policy=Wanted("documents", files=files)).scenario
    assert scenario.policy_id == start().scenario.policy_id
    broken = Wanted("documents", files=(SourceFile("a.yaml", b"kind: ["),))
    with pytest.raises(Invalid) as refused:
        start(policy=broken)
    assert refused.value.code == "unsound_policy"


def test_released_is_what_delivery_told_of_last_however_late_it_comes(dev):
    with pytest.raises(Invalid) as refused:
        start(policy=Wanted("released"))
    assert refused.value.code == "unknown_policy"
    first = policy.build_revision(revision=dev)
    second_revision = put("priority", FASTER, base=...)
    second = policy.build_revision(revision=second_revision)
    told = {"environment": "dev"}
    tasks._released({**told, "version": 2, "bundle": second.digest})
    tasks._released({**told, "version": 1, "bundle": first.digest})
    tasks._released({**told, "version": 2, "bundle": second.digest})
    assert ReleasedRevision.objects.get().revision == second_revision.digest
    tasks._released({**told, "version": 3, "bundle": first.digest})
    scenario = start(policy=CURRENT, against=Wanted("released")).scenario
    assert scenario.against_revision == dev.digest
    assert scenario.against_label == "revision 1 (released)"


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"speed": 0.0}, "/speed"),
        ({"speed": float("nan")}, "/speed"),
        ({"seeds": 0}, "/seeds"),
        ({"seeds": 10_000}, "/seeds"),
        ({"seed": -1}, "/seed"),
        ({"limit": 0}, "/limit"),
        ({"host_tokens": -1}, "/host_tokens"),
        ({"model": "gpt"}, "/model"),
        ({"mix": (("nobody", None, 1),)}, "/mix/0/tenant"),
        ({"mix": (("acme", None, 0),)}, "/mix"),
        ({"mix": (("acme", None, -1), ("acme", None, 1))}, "/mix/0/weight"),
        ({"replicas": {"nowhere": 2}}, "/replicas"),
        ({"replicas": {"chat": 0}}, "/replicas"),
        ({"knob": "colour", "values": (1.0,)}, "/sweep"),
        ({"knob": "speed"}, "/sweep"),
        ({"knob": "speed", "values": (1.0,), "seeds": 2}, "/sweep"),
        ({"knob": "replicas", "values": (1.5,)}, "/sweep"),
        ({"knob": "replicas", "values": (float("nan"),)}, "/sweep"),
        ({"knob": "host_tokens", "values": (float("inf"),)}, "/sweep"),
        ({"knob": "speed", "values": tuple([1.0] * 65)}, "/sweep"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(dev, part, pointer):
    with pytest.raises(Invalid) as refused:
        start(**part)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert not Run.objects.exists()


def test_a_trace_is_named_and_there(dev):
    with pytest.raises(Invalid):
        services.start(actor=SYSTEM, environment="dev", ask=Ask(CURRENT))
    with pytest.raises(NotFound):
        services.start(actor=SYSTEM, environment="dev", ask=Ask(CURRENT, trace=2**70))
    with pytest.raises(NotFound):
        start(example="../../etc")


def test_an_example_s_trace_needs_no_upload(dev):
    scenario = start(example="quickstart").scenario
    assert (scenario.trace.source, scenario.trace.requests) == ("example", 120)


def test_only_operators_start_and_end(dev, viewer, operator):
    trace = upload()
    with pytest.raises(Forbidden):
        start(trace, actor=viewer)
    simulation = start(trace, actor=operator)
    with pytest.raises(Forbidden):
        services.cancel(actor=viewer, simulation=simulation)
    assert services.cancel(actor=operator, simulation=simulation).state == State.CANCELLED
    assert simulation.author_name == operator.get_username()


def test_the_queue_of_an_environment_is_bounded(dev, monkeypatch):
    monkeypatch.setattr(starting, "MOST_OPEN", 1)
    trace = upload()
    start(trace)
    with pytest.raises(Refused) as refused:
        start(trace)
    assert (refused.value.code, refused.value.http_status, refused.value.retryable) == (
        "too_many_simulations",
        429,
        True,
    )


def test_a_change_set_s_reviewers_see_how_its_simulation_stands(dev):
    made = change_set()
    wanted = Wanted("change_set", change_set=made.pk)

    def told():
        return [(check.name, check.state) for check in selectors.checks(made)]

    simulation = start(policy=wanted)
    assert told() == [("simulation: hour.jsonl", "pending")]
    check = selectors.checks(made)[0]
    assert check.url == f"/e/dev/simulations/{simulation.pk}/"
    services.cancel(actor=SYSTEM, simulation=simulation)
    assert told() == [("simulation: hour.jsonl", "neutral")]
    again = start(policy=wanted)
    lease = leases.claim(again.runs.get().pk, "a worker")
    assert lease is not None
    leases.fail(lease, "out_of_memory", "it needed too much")
    services.settle(simulation=again.pk)
    assert told() == [("simulation: hour.jsonl", "failed")]
    assert "too much" in selectors.checks(made)[0].summary


@pytest.mark.slow
def test_two_policies_meet_the_same_arrivals_and_are_compared(dev):
    made = change_set()
    simulation = perform(start(policy=Wanted("change_set", change_set=made.pk), against=CURRENT, seeds=2))
    result = simulation.result
    assert result["inputs"]["trace"] == result["against"]["inputs"]["trace"]
    assert result["inputs"]["mix"] == result["against"]["inputs"]["mix"]
    assert result["inputs"]["policy"] != result["against"]["inputs"]["policy"]
    assert result["difference"]["completed"]["certain"] is not None
    assert result["seeds"]["count"] == 2
    check = selectors.checks(made).get()
    assert (check.state, check.summary.startswith("20 of 20 completed")) == ("neutral", True)
    assert OutboxEvent.objects.filter(topic="simulations.ended", key=str(simulation.pk)).count() == 1


@pytest.mark.slow
def test_a_sweep_s_points_are_gathered_in_their_order(dev):
    simulation = start(knob="replicas", values=(2.0, 1.0), replicas={"chat": 2})
    numbers = list(simulation.runs.order_by("-position").values_list("pk", flat=True))
    for number in numbers:  # the last first: whoever is free takes what is there
        work.perform(number)
    simulation.refresh_from_db()
    assert [each["value"] for each in simulation.result["tried"]] == [2.0, 1.0]
    assert simulation.result["sweep"] == "replicas"


GATES = """\
spec:
  simulate:
    gates:
    - {{metric: ttft, percentile: 95, target: {target}}}
    - {{metric: availability, target: 99%, tier: standard}}"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "verdict", "state", "says"),
    [
        ("30s", "holds", "passed", "Every gate holds. 20 of 20 completed"),
        ("1ms", "fails", "failed", "A gate fails (new-day: ttft p95 at most 1ms). 20 of 20 completed"),
    ],
)
def test_gates_of_expectations_judge_a_change_set(dev, target, verdict, state, says):
    made = change_set(GATES.format(target=target), "new-day", "Expectation")
    simulation = perform(start(policy=Wanted("change_set", change_set=made.pk), against=CURRENT, seeds=2))
    assert simulation.result["verdict"] == verdict
    assert [gate["holds"] for gate in simulation.result["gates"]] == [verdict == "holds", True]
    assert simulation.result["against"]["gates"] == [], "what is current expects nothing"
    check = selectors.checks(made).get()
    assert (check.state, check.summary.startswith(says)) == (state, True), check.summary


@pytest.mark.slow
def test_a_policy_without_gates_informs(dev):
    made = change_set()
    simulation = perform(start(policy=Wanted("change_set", change_set=made.pk)))
    assert (simulation.result["verdict"], simulation.result["gates"]) == (None, [])
    assert selectors.checks(made).get().state == "neutral"


@pytest.mark.slow
def test_every_objective_of_a_tier_is_told_though_gateways_count_only_some(dev):
    objectives = (
        "objectives: [{metric: itl, percentile: 95, target: 60ms}, {metric: availability, target: 99%}]"
    )
    put("standard", f"spec: {{service_tier: [default, standard], band: 200, {objectives}}}", base=...)
    result = perform(start()).result
    assert [one["metric"] for one in result["objectives"]] == ["itl", "availability"]


@pytest.mark.slow
def test_a_scenario_from_before_promises_were_kept_is_still_simulated(dev):
    simulation = start()
    Scenario.objects.update(promises={})
    assert perform(simulation).result["verdict"] is None
