"""The screens of simulation: asked, followed, ended, read, compared; and traces brought and refused."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from console.mapping import simulated
from policies.models import ChangeSet
from simulations import selectors
from simulations.models import Simulation, StoredProfile, Trace
from tests.simulations.conftest import calibrated, mooncake
from tests.support.found import found

BASE = "/e/dev"
ASKED = {"policy": "current", "traffic": "example:quickstart", "speed": "1", "seed": "1", "seeds": "1"}


def ask(client, **more):
    return client.post(f"{BASE}/simulations/new/", {"token": "t1", **ASKED, **more})


def test_a_question_is_asked_once_and_followed_to_its_page(quickstart, operator):
    first = ask(operator)
    assert first.status_code == 302, first.content
    assert ask(operator)["Location"] == first["Location"]
    made = Simulation.objects.get()
    page = operator.get(first["Location"])
    assert f'data-simulation="{made.pk}"' in page.content.decode()
    part = operator.get(first["Location"], headers={"HX-Request": "true"}).content.decode()
    assert "0 of 120 requests" in part
    assert "<html" not in part
    operator.post(f"{BASE}/simulations/{made.pk}/cancel/")
    assert "Cancelled" in operator.get(first["Location"]).content.decode()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"policy": "yesterday"}, "Choose a policy"),
        ({"traffic": "trace:x"}, "Choose a trace"),
        ({"mix": "acme=lots"}, "not like acme:priority=3"),
        ({"mix": "nobody=1"}, "no tenant"),
        ({"replicas": "chat-a"}, "not like chat-a=4"),
        ({"replicas": "nowhere=4"}, "no pool nowhere"),
        ({"knob": "speed", "values": "fast"}, "Numbers, such as"),
        ({"knob": "speed"}, "a knob"),
        ({"speed": "0"}, "greater than or equal"),
        ({"policy": "change_set:999"}, "no change set 999"),
    ],
)
def test_what_will_not_do_is_said_and_what_was_typed_stays(quickstart, operator, wrong, says):
    answer = ask(operator, **{"limit": "77", **wrong})
    page = answer.content.decode()
    assert answer.status_code in (404, 422)
    assert says in page
    assert 'name="limit" value="77"' in page
    assert not Simulation.objects.exists()


@pytest.fixture
def asked(lived_in):
    """The keys of what was simulated, oldest first."""
    return list(Simulation.objects.order_by("pk").values_list("pk", flat=True))


def test_viewers_look_and_have_no_buttons(asked, viewer):
    reports = [f"simulations/{pk}/" for pk in asked[1:4]]
    for path in ("simulations/", *reports, "traces/", "changes/"):
        page = viewer.get(f"{BASE}/{path}")
        assert page.status_code == 200
        assert '<form method="post" action="/e/' not in page.content.decode()
    assert viewer.get(f"{BASE}/simulations/new/").status_code == 403
    assert viewer.post(f"{BASE}/simulations/{asked[3]}/cancel/").status_code == 403
    refused = viewer.post(f"{BASE}/traces/", {"file": SimpleUploadedFile("a", mooncake(2))})
    assert refused.status_code == 403


def test_a_report_says_what_the_result_says(asked, operator):
    first, second, third = asked[:3]
    result = found(Simulation.objects.get(pk=second).result)
    page = operator.get(f"{BASE}/simulations/{second}/").content.decode()
    assert f"<dd>{result['requests']:,}</dd>" in page
    for row in simulated.differences(result):
        assert row[0] in page
    assert result["worst"][0]["steps"][0]["rule"] in page
    assert result["inputs"]["digest"] in page
    assert [plot["key"] for plot in simulated.plots(result)][-3:] == ["tenants", "cached", "replicas"]
    assert f"{result['spend']:,.4g} USD" in page
    assert result["objectives"][0]["says"] in page, "what the policy promises"
    gate = result["gates"][0]
    assert gate["says"] in page, "what its author expects of a simulation"
    word = {"holds": "Every gate holds", "fails": "A gate fails"}[result["verdict"]]
    assert word in page
    compared = operator.get(f"{BASE}/simulations/compare/?of={first}&of={second}").content.decode()
    assert "Time to first token, p99" in compared
    assert operator.get(f"{BASE}/simulations/compare/?of={first}").status_code == 400
    assert operator.get(f"{BASE}/simulations/compare/?of={first}&of={third}").status_code == 409


def test_a_change_set_shows_its_checks_and_leads_to_its_simulation(asked, operator):
    proposed = ChangeSet.objects.get(state="open")
    page = operator.get(f"{BASE}/changes/{proposed.pk}/").content.decode()
    assert f"/e/dev/simulations/new/?change_set={proposed.pk}" in page
    assert "simulation: quickstart" in page
    assert f"/e/dev/simulations/{asked[1]}/" in page
    assert "/spec/queue/max_wait" in page
    form = operator.get(f"{BASE}/simulations/new/?change_set={proposed.pk}").content.decode()
    assert f'<option value="change_set:{proposed.pk}" selected>' in form
    assert '<option value="released" selected>' in form


def test_a_trace_is_brought_refused_line_by_line_and_taken_away(quickstart, operator):
    def bring(data, name="hour.jsonl"):
        return operator.post(f"{BASE}/traces/", {"file": SimpleUploadedFile(name, data), "name": ""})

    bad = bring(mooncake(2) + b"{}\nx\n")
    assert bad.status_code == 422
    assert "<b>line 3</b>" in bad.content.decode()
    assert "<b>line 4</b>" in bad.content.decode()
    assert operator.post(f"{BASE}/traces/", {}).status_code == 422
    assert bring(mooncake(5)).status_code == 302
    made = Trace.objects.get()
    assert (made.name, made.requests) == ("hour.jsonl", 5)
    assert (
        f'<option value="trace:{made.pk}" selected>'
        in operator.get(f"{BASE}/simulations/new/").content.decode()
    )
    operator.post(f"{BASE}/traces/{made.pk}/remove/")
    assert "No trace was brought yet" in operator.get(f"{BASE}/traces/").content.decode()


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("µs", None, "–"),
        ("µs", 0, "0 µs"),
        ("µs", 850, "850 µs"),
        ("µs", 12_400, "12.4 ms"),
        ("µs", 1_250_000, "1.25 s"),
        ("µs", 1_200_000_000, "20.00 min"),
        ("%", 12.34, "12.3 %"),
        ("count", 12_345, "12,345"),
        ("ratio", 1.0, "1.000"),
    ],
)
def test_figures_carry_their_units(unit, value, text):
    assert simulated.written(unit, value) == text


def test_promises_of_a_class_stand_in_a_table_with_their_unit():
    length = {"min": 0, "max": 8000}
    says = "ttft p95 at most 2s, up to 8,000 uncached input tokens"
    kept = {"name": "standard", "tier": "standard", "uncached_input": length, "says": says}
    missed = {"name": "batch", "tier": "batch", "says": "deadline", "value": 0.5}
    gates = [
        {"metric": "ttft", "value": 0.1339, "kept": 80, "given": 82, "holds": True, **kept},
        {"metric": "deadline", "kept": 1, "given": 2, "holds": False, **missed},
        {"metric": "e2e", "name": "day", "says": "e2e", "value": None, "kept": 0, "given": 0, "holds": None},
    ]
    share = {"metric": "availability", "name": "day", "says": "availability at least 99%", "value": 1.0}
    gates.append({**share, "kept": 3, "given": 3, "holds": True, "tenant": "acme", "pool": "chat"})
    table = simulated._promises("Gates", "gates", [("this policy", {"gates": gates}), ("the other", {})])
    assert [(name, cells) for name, _, cells in table.rows] == [
        ("standard", ("tier standard", says, "133.9 ms", "80", "82", "holds")),
        ("batch", ("tier batch", "deadline", "50.0 %", "1", "2", "fails")),
        ("day", ("all", "e2e", "–", "0", "0", "nothing counted")),
        ("day", ("tenant acme, pool chat", "availability at least 99%", "100.0 %", "3", "3", "holds")),
    ]


def bring_profile(client, data):
    return client.post(f"{BASE}/profiles/", {"file": SimpleUploadedFile("ours.json", data)})


def test_a_profile_is_brought_refused_field_by_field_read_and_taken_away(quickstart, operator):
    assert "headway calibrate" in operator.get(f"{BASE}/profiles/").content.decode()
    bad = bring_profile(operator, calibrated().replace(b'"layers": 80', b'"layers": 0, "colour": "<b>"'))
    assert bad.status_code == 422
    assert "<b>layers</b>" in bad.content.decode()
    assert "<b>colour</b>" in bad.content.decode()
    assert operator.post(f"{BASE}/profiles/", {}).status_code == 422
    made = bring_profile(operator, calibrated())
    kept = StoredProfile.objects.get()
    assert (made.status_code, made["Location"]) == (302, f"{BASE}/profiles/{kept.pk}/")
    page = operator.get(made["Location"]).content.decode()
    for told in (kept.digest, "first token, held out", "2.1 %", "8.0 %", "420.0 ms", "few prompts were long"):
        assert told in page
    assert "ours-70b" in operator.get(f"{BASE}/profiles/").content.decode()
    assert "already here" in operator.get(bring_profile(operator, calibrated())["Location"]).content.decode()
    operator.post(f"{BASE}/profiles/{kept.pk}/remove/")
    assert "No profile was brought yet" in operator.get(f"{BASE}/profiles/").content.decode()
    assert operator.get(made["Location"]).status_code == 404


def test_a_profile_that_was_written_by_hand_says_nothing_of_a_fit(quickstart, operator):
    whole = json.loads(calibrated())
    whole |= {"fit": {"source": "a dream"}}
    page = operator.get(bring_profile(operator, json.dumps(whole).encode())["Location"]).content.decode()
    assert "does not say how well it fits" in page


def test_a_chosen_profile_is_what_the_simulation_is_made_of(quickstart, operator):
    bring_profile(operator, calibrated())
    kept = StoredProfile.objects.get()
    form = operator.get(f"{BASE}/simulations/new/?profile={kept.pk}").content.decode()
    assert f'name="profile" value="{kept.pk}" checked' in form
    unnamed = ask(operator, profile=kept.pk).content.decode()
    assert "no pool is of profile ours-70b" in unnamed
    wrong = ask(operator, profile=kept.pk, **{f"pools-{kept.pk}": "chat-a nowhere"})
    page = wrong.content.decode()
    assert (wrong.status_code, "there is no pool nowhere" in page) == (422, True)
    assert f'name="profile" value="{kept.pk}" checked' in page
    assert 'value="chat-a nowhere"' in page, "nothing typed is lost"
    assert ask(operator, profile=999).status_code == 422
    assert not Simulation.objects.exists()
    made = ask(operator, profile=kept.pk, **{f"pools-{kept.pk}": "chat-a, chat-b"})
    assert made.status_code == 302, made.content
    scenario = Simulation.objects.get().scenario
    assert [(one.pool, one.profile_id) for one in selectors.made_of(scenario)] == [
        ("chat-a", kept.pk),
        ("chat-b", kept.pk),
    ]
    assert "ours-70b" in operator.get(made["Location"]).content.decode()
    refused = operator.post(f"{BASE}/profiles/{kept.pk}/remove/", follow=True).content.decode()
    assert "is made of it" in refused
    assert StoredProfile.objects.filter(removed_at=None).exists()


def test_viewers_read_profiles_and_bring_none(quickstart, viewer, operator):
    bring_profile(operator, calibrated())
    kept = StoredProfile.objects.get()
    for address in ("profiles/", f"profiles/{kept.pk}/"):
        page = viewer.get(f"{BASE}/{address}")
        assert (page.status_code, '<form method="post" action="/e/' in page.content.decode()) == (200, False)
    assert bring_profile(viewer, calibrated("another")).status_code == 403
    assert viewer.post(f"{BASE}/profiles/{kept.pk}/remove/").status_code == 403
    assert operator.get(f"/e/prod/profiles/{kept.pk}/").status_code == 404
