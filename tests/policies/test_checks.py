"""What is found out about a change set is bound to the operations it looked at."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from foundation.actors import SYSTEM
from foundation.http import Forbidden, Invalid
from policies import selectors, services
from tests.policies.conftest import text


@pytest.fixture
def proposal(dev):
    made = services.open_change_set(actor=SYSTEM, environment="dev")
    edit(made, 310)
    return made


def edit(proposal, band):
    services.put_operation(
        actor=SYSTEM,
        change_set=proposal,
        kind="Tier",
        name="flex",
        body=text("Tier", "flex", f"spec: {{band: {band}}}"),
        base_digest=None,
    )


def told(proposal):
    return [(check.name, check.state, check.summary) for check in selectors.checks(proposal)]


def test_a_later_word_takes_the_place_of_an_earlier_and_an_edit_leaves_both_behind(proposal):
    say = {"actor": SYSTEM, "change_set": proposal, "name": "load test"}
    services.report_check(**say, state="pending")
    services.report_check(**say, state="passed", summary="all well", url="/e/dev/simulations/1/")
    assert told(proposal) == [("load test", "passed", "all well")]
    looked_at = proposal.head_digest
    edit(proposal, 320)
    assert told(proposal) == []
    services.report_check(**say, state="failed", head_digest=looked_at)  # too late: of what was there before
    assert told(proposal) == []
    edit(proposal, 310)
    assert told(proposal) == [("load test", "failed", "")]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//elsewhere.example", "ftp://x", "data:text/html,x"])
def test_a_check_leads_to_a_page_or_nowhere(proposal, url):
    with pytest.raises(Invalid) as refused:
        services.report_check(actor=SYSTEM, change_set=proposal, name="x", state="passed", url=url)
    assert refused.value.code == "bad_check"


def test_pipelines_report_over_rest_and_viewers_do_not(proposal, operator, viewer):
    api = APIClient()
    api.force_authenticate(operator)
    place = f"/api/v1/change-sets/{proposal.pk}/checks"
    said = api.post(place, {"name": "ci", "state": "passed", "url": "https://ci.example/1"}, format="json")
    assert (said.status_code, said.json()["head_digest"]) == (200, proposal.head_digest)
    assert said.json()["reporter_name"] == operator.get_username()
    assert [each["name"] for each in api.get(place).json()["items"]] == ["ci"]
    wrong = api.post(place, {"name": "ci", "state": "splendid", "head_digest": "x"}, format="json")
    assert {each["pointer"] for each in wrong.json()["errors"]} == {"/state", "/head_digest"}
    api.force_authenticate(viewer)
    assert api.get(place).status_code == 200
    assert api.post(place, {"name": "ci", "state": "passed"}, format="json").status_code == 403
    with pytest.raises(Forbidden):
        services.report_check(actor=viewer, change_set=proposal, name="ci", state="passed")
