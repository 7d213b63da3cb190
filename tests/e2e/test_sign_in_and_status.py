"""In a real browser: signing in, and a status page that stays fresh, readable and still when told to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.running import Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Run]:
    started = Run(tmp_path_factory.mktemp("up") / "var")
    started.wait_started()
    yield started
    started.end()


@pytest.fixture(params=["light", "dark"])
def page(request, browser, run) -> Iterator[Page]:
    """A page of each theme; what the browser complains of fails the test."""
    context = browser.new_context(color_scheme=request.param, base_url=run.facts()["console_url"])
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


def sign_in(page: Page, who: dict[str, Any]) -> None:
    page.goto("/")
    page.get_by_label("User name").fill(who["username"])
    page.get_by_label("Password").fill(who["password"])
    page.get_by_role("button", name="Sign in").click()


def violations(page: Page) -> list[str]:
    return [found["id"] for found in Axe().run(page).response["violations"]]


def test_the_pages_break_no_accessibility_rule_in_either_theme(page, run):
    page.goto("/")
    assert violations(page) == []
    sign_in(page, run.facts()["operator"])
    for path, heading in (("/", "Overview"), ("/status/", "Status")):
        page.goto(path)
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        assert violations(page) == [], path


def test_a_wrong_password_is_told_and_focus_is_where_typing_goes_on(page, run):
    sign_in(page, {"username": "operator", "password": "guess"})
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    expect(page.get_by_label("User name")).to_be_focused()


def test_the_status_page_stays_fresh_and_stands_still_when_paused(page, run):
    sign_in(page, run.facts()["operator"])
    page.goto("/status/")
    expect(page.get_by_text("8 of 8 replicas answer")).to_be_visible()
    first = page.get_by_role("row", name="console").locator("td").nth(2).inner_text()
    page.wait_for_function(
        "before => [...document.querySelectorAll('tr')].some(row => row.innerText.startsWith('console')"
        " && row.cells[3].innerText !== before)",
        arg=first,
    )
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused,")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_500)
    assert asked == []
    page.get_by_role("button", name="Resume").click()
    page.wait_for_event("request")


def test_the_theme_can_be_chosen_and_is_kept(page, run):
    page.goto("/")
    switch = page.get_by_role("button", name="Theme: auto")
    switch.click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("tenant", [0])
def test_a_tenant_s_page_fits_a_narrow_screen(page, run, tenant):
    page.set_viewport_size({"width": 320, "height": 700})
    sign_in(page, run.facts()["tenants"][tenant])
    expect(page.get_by_role("heading", name="Acme Corporation")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert violations(page) == []
