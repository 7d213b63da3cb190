"""From a simulation to a change set: which values have a button, where it leads, and who has none."""

from __future__ import annotations

import re

import pytest

from policies import services as policy
from policies.models import ChangeSet
from simulations.mapping.inputs import Ask
from simulations.mapping.policies import Wanted
from simulations.models import Promotion, Simulation, State
from tenancy.models import Role
from tests.console.conftest import edit, person
from tests.console.simulated import start
from tests.support.found import found

BASE = "/e/dev"
CURRENT = Wanted("current")
FIGURES = dict.fromkeys(("ttft.mean", "ttft.p50", "ttft.p90", "ttft.p99", "itl.p99", "queue.p99"), 0.5)


def swept(knob, *values, wanted=CURRENT):
    """A sweep over the quickstart that is done."""
    ada = person("ada", Role.OPERATOR)
    made = start(ada, Ask(wanted, example="quickstart", knob=knob, values=tuple(map(float, values))))
    figures = {**FIGURES, "refused": 2, "cache.token_hit": 0.5}
    tried = [{"value": value, "figures": figures, "inputs": "sha256:0"} for value in made.scenario.values]
    made.result, made.state = {"sweep": knob, "tried": tried, "wall_seconds": 1.0}, State.DONE
    made.save()
    return made


def page_of(client, simulation):
    return client.get(f"{BASE}/simulations/{simulation.pk}/").content.decode()


def buttons(page):
    """Values that have one."""
    return re.findall(r'name="value" value="([^"]*)"', page)


def press(client, simulation, **more):
    return client.post(f"{BASE}/simulations/{simulation.pk}/promote/", {"token": "t1", **more})


def test_a_value_s_button_leads_to_a_change_set_that_leads_back(quickstart, operator):
    simulation = swept("release_after", 0.25, 1, 4)
    page = page_of(operator, simulation)
    assert buttons(page) == ["0.25", "4.0"], "a second is how it is"
    assert "as it is now" in page
    assert "opens a change set" in page
    pressed = press(operator, simulation, value="4.0", head="")
    made = ChangeSet.objects.get(state="open")
    assert (pressed.status_code, pressed["Location"]) == (302, f"{BASE}/changes/{made.pk}/")
    assert press(operator, simulation, value="4.0", head="")["Location"] == pressed["Location"]
    assert press(operator, simulation, token="t2", value="4.0")["Location"] == pressed["Location"]
    shown = operator.get(pressed["Location"]).content.decode()
    assert f'<a href="{BASE}/simulations/{simulation.pk}/">simulation {simulation.pk}</a>' in shown
    assert "/spec/placement" in shown
    assert "Release after 4s in routes " in shown
    after = page_of(operator, simulation)
    assert buttons(after) == ["0.25"]
    assert f'<a href="{BASE}/changes/{made.pk}/">Change set {made.pk}</a>' in after
    assert Promotion.objects.count() == 1


def test_a_sweep_of_a_draft_goes_into_it_and_not_past_what_others_typed(quickstart, operator):
    ada = person("ada", Role.OPERATOR)
    draft = policy.open_change_set(actor=ada, environment="dev", reason="nothing yet")
    simulation = swept("release_after", 2, 3, wanted=Wanted("change_set", change_set=draft.pk))
    page = page_of(operator, simulation)
    assert f'into <a href="{BASE}/changes/{draft.pk}/">change set {draft.pk}</a>' in page
    assert "edited since" not in page
    head = found(re.search(r'name="head" value="([^"]*)"', page))[1]
    policy.put_operation(
        actor=ada, change_set=draft, kind="Tier", name="flex", body=None, base_digest="sha256:0"
    )
    assert "edited since" in page_of(operator, simulation)
    late = press(operator, simulation, value="2.0", head=head)
    assert late["Location"] == f"{BASE}/simulations/{simulation.pk}/"
    assert "was edited" in operator.get(late["Location"]).content.decode()
    draft.refresh_from_db()
    pressed = press(operator, simulation, value="2.0", head=draft.head_digest)
    assert pressed["Location"] == f"{BASE}/changes/{draft.pk}/"
    assert ChangeSet.objects.filter(state="open").get() == draft


def test_listed_replicas_lead_to_their_pools_and_other_numbers_nowhere(quickstart, operator):
    simulation = swept("replicas", 2, 4)
    page = page_of(operator, simulation)
    assert buttons(page) == []
    assert f'<a href="{BASE}/policies/pools/chat-a/">chat-a</a>' in page
    assert "wants other URLs" in page
    refused = press(operator, simulation, value="2.0")
    assert "lists its replicas by URL" in operator.get(refused["Location"]).content.decode()
    for knob in ("speed", "host_tokens"):
        page = page_of(operator, swept(knob, 1, 2))
        assert (buttons(page), "As policy" in page) == ([], False)
    assert press(operator, simulation, value="four").status_code == 302
    assert not ChangeSet.objects.filter(state="open").exists()


def test_viewers_see_what_was_promoted_and_have_no_button(quickstart, operator, viewer):
    simulation = swept("release_after", 2, 3)
    press(operator, simulation, value="2.0")
    page = page_of(viewer, simulation)
    assert buttons(page) == []
    assert '<form method="post" action="/e/' not in page
    assert "Change set " in page
    assert press(viewer, simulation, value="3.0").status_code == 403
    assert Promotion.objects.count() == 1


def test_the_pools_can_be_turned_one_by_one(quickstart, operator):
    form = operator.get(f"{BASE}/simulations/new/").content.decode()
    assert "<option>replicas:chat-a</option>" in form


def differing(difference):
    return {"refused": {"difference": difference, "certain": None, "a": 1, "b": 2, "plus_minus": None}}


@pytest.mark.slow
@pytest.mark.parametrize(("difference", "offered"), [(None, True), (3, True), (-3, False)])
def test_an_earlier_revision_that_fared_better_is_brought_back(lived_in, operator, difference, offered):
    simulation = Simulation.objects.order_by("pk")[0]
    page = page_of(operator, simulation)
    assert "is current</h2>" not in page, "it simulated what is current"
    if difference is not None:
        simulation.result = {**found(simulation.result), "difference": differing(difference)}
        simulation.save()
    number = edit("Tier", "flex", {"band": 90}).number
    page = page_of(operator, simulation)
    assert (f"revision {number} is current</h2>" in page) == offered
    assert ("It had 1 figure better than" in page) == (difference == 3)
    if offered:
        pressed = press(operator, simulation)
        shown = operator.get(pressed["Location"]).content.decode()
        assert "/spec/band" in shown
        assert f"Revision {number - 1} again, in place of revision {number}" in shown
        assert "has its documents as they were" in page_of(operator, simulation)
