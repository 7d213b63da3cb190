"""A calibrated profile is read before it is kept, is what its environment's simulations can be made of, and
means there what ``--profile`` means on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.db import transaction

from coordination.capacity import PROFILES
from coordination.capacity.profile_file import LARGEST, profile_digest, read_profile
from coordination.simulator import simulate
from foundation import audit
from foundation.actors import SYSTEM
from foundation.audit import entries
from foundation.http import Conflict, Forbidden, Invalid, Refused
from policies import selectors as policy_selectors
from policies import services as policy
from simulations import leases, selectors, services, work
from simulations.mapping.inputs import job_of
from simulations.mapping.policies import Wanted
from simulations.models import MadeOf, Run, Simulation, State, StoredProfile
from simulations.services import profiles as keeping
from simulations.services import starting
from tests.policies.conftest import put
from tests.simulations.conftest import CURRENT, calibrated, keep_profile, mooncake, perform, start, upload
from tests.support.found import found
from tests.support.policies import WORLD

NAMED_BY_ITS_POOL = WORLD["Pool/chat"].replace("profile: llama-3-8b-h100-tp1", "profile: ours-70b")


def send(*chunks, actor=SYSTEM, environment="dev"):
    return services.upload_profile(actor=actor, environment=environment, chunks=chunks)


def test_a_sound_file_is_kept_as_its_profile_says(dev, operator):
    row, made = send(calibrated()[:100], calibrated()[100:], actor=operator)
    assert made
    assert (row.environment, row.name, row.model) == ("dev", "ours-70b", "llama-3-70b")
    assert (row.accelerator, row.tensor_parallel) == ("a100-sxm-80g", 4)
    assert row.digest == profile_digest(read_profile(calibrated()))
    assert bytes(row.body) == calibrated()
    assert row.author_name == operator.get_username()
    [entry] = entries().filter(action="simulations.profile_kept")
    assert (entry.object_kind, entry.object_name) == ("Profile", str(row.pk))
    assert entry.details == {"name": "ours-70b", "digest": row.digest}


def test_the_same_profile_is_kept_once_whatever_else_its_file_says(dev):
    first = keep_profile()
    whole = json.loads(calibrated())
    del whole["fit"]
    again, made = send(json.dumps(whole).encode())
    assert (again.pk, made) == (first.pk, False)
    other, made = send(calibrated(kv_tokens=400_000))
    assert (other.pk != first.pk, made) == (True, True)
    assert [each.pk for each in selectors.profiles("dev")] == [other.pk, first.pk]
    assert entries().filter(action="simulations.profile_kept").count() == 2


def test_every_bad_field_is_told_and_nothing_is_kept(dev):
    whole = json.loads(calibrated())
    whole["profile"] |= {"layers": 0, "kv_heads": "eight", "colour": "red"}
    del whole["profile"]["blend"]
    with pytest.raises(Invalid) as refused:
        send(json.dumps(whole).encode())
    assert refused.value.code == "unreadable_profile"
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/profile/layers", "out_of_range"),
        ("/profile/kv_heads", "malformed"),
        ("/profile/blend", "required"),
        ("/profile/colour", "unknown_field"),
    ]
    assert not StoredProfile.objects.exists()


@pytest.mark.parametrize("data", [b"", b"\0", mooncake(2), b'{"a":' * 100_000, b'{"headway": "profile/9"}'])
def test_what_is_no_profile_is_refused(dev, data):
    with pytest.raises(Invalid) as refused:
        send(data)
    assert refused.value.code == "unreadable_profile"


def test_what_is_too_large_is_not_read_to_its_end(dev):
    read = []

    def endless():
        while True:
            read.append(1)
            yield b" " * 65536

    with pytest.raises(Refused) as refused:
        services.upload_profile(actor=SYSTEM, environment="dev", chunks=endless())
    assert (refused.value.code, refused.value.http_status) == ("profile_too_large", 413)
    assert len(read) == LARGEST // 65536 + 1


def test_there_is_room_for_so_many_and_no_more(dev, monkeypatch):
    monkeypatch.setattr(keeping, "MOST_KEPT", 1)
    kept = keep_profile()
    with pytest.raises(Refused) as refused:
        keep_profile("another")
    assert (refused.value.code, refused.value.http_status) == ("no_room", 507)
    assert keep_profile().pk == kept.pk, "what is there needs no room"
    services.remove_profile(actor=SYSTEM, profile=kept)
    keep_profile("another")


def test_only_operators_bring_them_and_take_them_away(dev, viewer, stranger):
    kept = keep_profile()
    for actor in (viewer, stranger):
        with pytest.raises(Forbidden):
            keep_profile("another", actor=actor)
        with pytest.raises(Forbidden):
            services.remove_profile(actor=actor, profile=kept)
    assert selectors.profile("dev", kept.pk) is not None


def test_an_environment_s_profile_is_no_other_s(dev, world_folder):
    policy.load_folder(actor=SYSTEM, environment="prod", folder=world_folder)
    theirs = keep_profile(environment="prod")
    assert list(selectors.profiles("dev")) == []
    assert selectors.profile("dev", theirs.pk) is None
    with pytest.raises(Invalid) as refused:
        start(profiles=(("chat", theirs.pk),))
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/profiles/0/profile", "unknown_profile")]
    mine = keep_profile()
    assert mine.pk != theirs.pk
    services.remove_profile(actor=SYSTEM, profile=mine)
    assert selectors.profile("prod", theirs.pk) is not None


def test_one_in_use_stays_until_its_simulation_ends(dev):
    kept = keep_profile()
    running = start(profiles=(("chat", kept.pk),))
    with pytest.raises(Conflict) as refused:
        services.remove_profile(actor=SYSTEM, profile=kept)
    assert refused.value.code == "profile_in_use"
    services.cancel(actor=SYSTEM, simulation=running)
    services.remove_profile(actor=SYSTEM, profile=kept)
    services.remove_profile(actor=SYSTEM, profile=kept)
    kept.refresh_from_db()
    assert bytes(kept.body) == b""
    assert entries().filter(action="simulations.profile_removed").count() == 1
    [made_of] = selectors.made_of(running.scenario)
    assert (made_of.profile.name, made_of.profile.digest) == ("ours-70b", kept.digest), "its report says so"
    with pytest.raises(Invalid):
        start(profiles=(("chat", kept.pk),))
    assert keep_profile().pk != kept.pk
    assert audit.verify().holds


@pytest.mark.slow
def test_one_that_is_removed_while_a_simulation_begins_is_not_used(shared, monkeypatch):
    """Between being looked up and being held: the second look finds it gone."""
    kept = keep_profile()
    trace = upload()

    def removing():
        StoredProfile.objects.filter(pk=kept.pk).update(removed_at=kept.created_at, body=b"")
        return transaction.atomic()

    monkeypatch.setattr(starting, "transaction", SimpleNamespace(atomic=removing))
    with pytest.raises(Invalid) as refused:
        start(trace, profiles=(("chat", kept.pk),))
    assert refused.value.errors[0].code == "unknown_profile"
    assert not Simulation.objects.exists()


def test_a_run_whose_profile_is_gone_says_so(dev):
    kept = keep_profile()
    simulation = start(profiles=(("chat", kept.pk),))
    StoredProfile.objects.filter(pk=kept.pk).update(body=b"")
    perform(simulation)
    assert (simulation.state, simulation.error_code) == (State.FAILED, "profile_missing")


# -- what they mean -------------------------------------------------------------------------------


def jobs(simulation):
    return [job_of(run, simulation.scenario) for run in simulation.runs.order_by("position")]


def test_a_pool_that_names_a_profile_that_is_not_known_wants_one(dev):
    put("chat", NAMED_BY_ITS_POOL, kind="Pool", base=...)
    with pytest.raises(Invalid) as refused:
        start()
    assert [(e.pointer, e.code) for e in refused.value.errors] == [("/policy", "unknown_profile")]
    assert "choose a stored profile" in refused.value.detail
    kept = keep_profile()
    [job] = jobs(start(profiles=(("", kept.pk),)))
    assert set(job.profiles) == {"chat"}
    assert profile_digest(job.profiles["chat"]) == kept.digest


def test_a_profile_takes_the_place_of_the_built_in_one_of_its_name(dev):
    slower = keep_profile("llama-3-8b-h100-tp1")
    [job] = jobs(start(profiles=(("", slower.pk),)))
    named = {pool.name for pool in job.policy.pools if pool.profile == "llama-3-8b-h100-tp1"}
    assert set(job.profiles) == named != set()


def test_the_last_that_is_given_for_a_pool_counts(dev):
    first, last = keep_profile(), keep_profile("another")
    [job] = jobs(start(profiles=(("chat", first.pk), ("chat", last.pk))))
    assert job.profiles["chat"].name == "another"
    assert MadeOf.objects.count() == 2


@pytest.mark.parametrize(
    ("pool", "pointer", "code"),
    [
        ("nowhere", "/profiles/0/pool", "unknown_pool"),
        ("", "/profiles/0/profile", "unused_profile"),
    ],
)
def test_a_profile_that_fits_no_pool_is_told(dev, pool, pointer, code):
    kept = keep_profile()
    with pytest.raises(Invalid) as refused:
        start(profiles=((pool, kept.pk),))
    assert [(e.pointer, e.code) for e in refused.value.errors] == [(pointer, code)]
    assert not Run.objects.exists()


def test_it_holds_for_both_policies(dev):
    kept = keep_profile()
    change_set = policy.open_change_set(actor=SYSTEM, environment="dev")
    policy.put_operation(
        actor=SYSTEM,
        change_set=change_set,
        kind="Tier",
        name="priority",
        body=b"apiVersion: headway/v1\nkind: Tier\nmetadata: {name: priority}\n"
        b"spec: {service_tier: [priority, fast], band: 310}\n",
        base_digest=found(policy_selectors.head("dev", "Tier", "priority")).document_id,
    )
    proposed = Wanted("change_set", change_set=change_set.pk)
    simulation = start(policy=proposed, against=CURRENT, profiles=(("chat", kept.pk),))
    assert [set(job.profiles) for job in jobs(simulation)] == [{"chat"}, {"chat"}]
    [check] = policy_selectors.checks(change_set)
    assert check.name == "simulation: hour.jsonl, chat=ours-70b"
    assert check.summary == "Under hour.jsonl, replicas of chat=ours-70b."


# -- what comes of it -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_child_simulates_it_and_its_report_names_the_digest(dev):
    kept, trace = keep_profile(), upload(mooncake(40, every_ms=50))
    plain, made = perform(start(trace)), perform(start(trace, profiles=(("chat", kept.pk),)))
    assert (plain.state, made.state) == (State.DONE, State.DONE)
    assert plain.result["inputs"]["profiles"] == {}
    assert made.result["inputs"]["profiles"] == {"chat": kept.digest}
    assert made.result["inputs"]["digest"] != plain.result["inputs"]["digest"]
    assert made.result["ttft"]["p50"] > 1.5 * plain.result["ttft"]["p50"], "ten times the parameters"
    [job] = jobs(made)
    here = json.loads(json.dumps(simulate(job.study())))
    assert Run.objects.get(simulation=made).report == here
    given = (("chat", replace(PROFILES["llama-3-70b-a100-tp4"], name="ours-70b")),)
    assert job.study().settings.profiles == given


@pytest.mark.slow
def test_every_point_of_a_sweep_is_made_of_it_whichever_worker_takes_it(dev):
    kept = keep_profile()
    simulation = start(knob="speed", values=(1.0, 2.0), profiles=(("chat", kept.pk),))
    for number in simulation.runs.order_by("-position").values_list("pk", flat=True):
        work.perform(number)
    simulation.refresh_from_db()
    assert simulation.state == State.DONE
    reports = [run.report for run in simulation.runs.all()]
    assert [report["inputs"]["profiles"] for report in reports] == [{"chat": kept.digest}] * 2


def test_a_lease_does_not_need_the_file_to_end(dev):
    """Removing a profile never stands in the way of a simulation that has ended."""
    kept = keep_profile()
    simulation = start(profiles=(("chat", kept.pk),))
    lease = found(leases.claim(simulation.runs.get().pk, "a worker"))
    leases.fail(lease, "out_of_memory", "it needed too much")
    services.settle(simulation=simulation.pk)
    services.remove_profile(actor=SYSTEM, profile=kept)
    assert selectors.profile("dev", kept.pk) is None
