"""A value of a sweep is pressed into a change set, in a real browser."""

from __future__ import annotations

import re

import pytest

from policies.models import ChangeSet
from simulations.models import Simulation
from tenancy.models import Role
from tests.e2e.conftest import ARTIFACTS

NARROW = {"width": 360, "height": 740}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("narrow", {"viewport": NARROW}),
    ],
)
def test_a_value_becomes_a_proposal_by_keyboard(lived_in, sign_in, live_server, name, options):
    from axe_playwright_python.sync_playwright import Axe

    page = sign_in("olga", Role.OPERATOR, **options)
    folder = ARTIFACTS / "promoting" / name
    folder.mkdir(parents=True, exist_ok=True)
    opened = ChangeSet.objects.get(state=ChangeSet.State.OPEN)
    number = Simulation.objects.order_by("pk").values_list("pk", flat=True)[4]
    page.goto(f"{live_server.url}/e/dev/simulations/{number}/")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "before.png", full_page=True)
    button = page.get_by_role("button", name=re.compile(r"Promote\s+release_after 4"))
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/e/dev/changes/\d+/$"))
    made = ChangeSet.objects.filter(state=ChangeSet.State.OPEN).exclude(pk=opened.pk).get()
    assert page.url.endswith(f"/e/dev/changes/{made.pk}/")
    page.screenshot(path=folder / "change-set.png", full_page=True)
    page.get_by_role("link", name=f"simulation {number}").click()
    page.wait_for_url(re.compile(rf"/e/dev/simulations/{number}/$"))
    page.wait_for_load_state("networkidle")
    page.get_by_role("link", name=f"Change set {made.pk}").wait_for()
    page.screenshot(path=folder / "after.png", full_page=True)
    grave = [
        each["id"]
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert grave == []
    assert [each for each in page.problems if "/ws/live" not in each] == []
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page scrolls sideways"
