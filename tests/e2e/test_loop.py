"""The loop as an operator walks it in a browser, over `headway up`: edit, acknowledged, enforced, undone; and
a simulation, followed as it goes.

Nothing is called but what a person clicks and a client sends; each step is pictured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ARTIFACTS, WIDE
from tests.support.console import until
from tests.support.running import Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE = 45_000
"""Milliseconds: a guard against a hang, many times what is promised."""
ENDLESS = {"requests": 10_000_000, "clients": [{"tenant": "acme", "sessions_per_second": 0.5}]}
"""Traffic that is simulated for longer than anybody watches."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Run]:
    started = Run(tmp_path_factory.mktemp("loop") / "var")
    started.wait_started()
    yield started
    started.end()


@pytest.fixture
def page(browser, run) -> Iterator[Page]:
    """An operator's browser; what it complains of fails the test."""
    context = browser.new_context(base_url=run.facts()["console_url"], viewport=WIDE, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on(
        "console",
        lambda said: complaints.append(f"{opened.url}: {said.text}") if said.type == "error" else None,
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def picture(page):
    """``picture("name")``: how it looks now, in either theme."""

    def taken(name: str) -> None:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            folder = ARTIFACTS / "loop" / theme
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png", full_page=True)

    return taken


@pytest.fixture
def ask(run):
    """A request of acme's, in a tier it has reserved nothing in: what is reserved is not limited again."""
    facts = run.facts()
    (tenant,) = [each for each in facts["tenants"] if each["name"] == "acme"]

    def chat() -> httpx.Response:
        return httpx.post(
            f"{facts['gateway_url']}/v1/chat/completions",
            headers={"authorization": f"Bearer {tenant['api_key']}"},
            json={
                "model": "llama-3-8b",
                "service_tier": "standard",
                "max_tokens": 4,
                "messages": [{"role": "user", "content": "Say two words."}],
            },
            timeout=60,
            trust_env=False,
        )

    return chat


def sign_in(page: Page, run: Run) -> None:
    operator = run.facts()["operator"]
    page.goto("/")
    page.get_by_label("User name").fill(operator["username"])
    page.get_by_label("Password").fill(operator["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_limit_is_lowered_acknowledged_enforced_and_rolled_back(page, run, picture, ask):
    assert ask().status_code == 200
    sign_in(page, run)
    picture("1-overview")

    page.get_by_role("link", name="Policies").first.click()
    page.get_by_role("link", name="Quotas").first.click()
    page.get_by_role("link", name="acme", exact=True).click()
    row = page.locator(".row", has=page.locator("select:has(option[value=requests]:checked)")).first
    field = row.get_by_label(re.compile("^Limit"))
    assert field.input_value() == "3k"
    field.fill("5")
    expect(page.locator("#yaml")).to_have_value(re.compile(r"of: requests, per: 1m, limit: 5\b|limit: 5\n"))
    page.get_by_placeholder("Why").fill("acme is too loud")
    picture("2-edited")
    page.get_by_role("button", name="Save").click()

    following = page.locator(".following")
    expect(following).to_contain_text("1 of 1 gateways run it", timeout=PATIENCE)
    expect(page.get_by_role("heading", name="acme")).to_be_visible()
    picture("3-acknowledged")
    *_, refused = [ask() for _ in range(6)]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")

    # Two clicks, from where releases are listed.
    page.get_by_role("link", name="Releases").first.click()
    picture("4-releases")
    page.get_by_role("link", name=re.compile("^Roll back")).first.click()
    picture("5-before-the-rollback")
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator("#progress")).to_contain_text("Complete", timeout=PATIENCE)
    picture("6-rolled-back")
    until(lambda: ask().status_code == 200, "the limit is gone")
    assert [ask().status_code for _ in range(3)] == [200, 200, 200]

    page.get_by_role("link", name="Audit").first.click()
    expect(page.locator("main")).to_contain_text("Rolled back")
    picture("7-audit")


def test_a_simulation_is_begun_followed_cancelled_and_another_read(page, run, picture):
    sign_in(page, run)
    page.get_by_role("link", name="Simulations").first.click()
    page.get_by_role("link", name="Traces").first.click()
    page.get_by_label("File").set_input_files(
        {"name": "endless.json", "mimeType": "application/json", "buffer": json.dumps(ENDLESS).encode()}
    )
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("link", name="Simulate under endless.json").click()
    page.get_by_role("button", name="Simulate").click()

    # Polls are what a page without a socket lives on: here each must be caused by an event.
    progress = page.locator("[data-progress]")
    expect(progress).to_be_visible()
    page.evaluate("""() => {
      window.moved = 0;
      document.addEventListener("simulation-moved", () => { window.moved += 1; }, true);
    }""")
    told = progress.locator(".verdict")
    expect(told).to_contain_text(re.compile(r"[1-9][0-9,]* of 10,000,000 requests"))
    seen = {told.inner_text()}
    for _ in range(2):
        page.wait_for_function(
            "text => document.querySelector('[data-progress] .verdict').innerText !== text",
            arg=told.inner_text(),
        )
        seen.add(told.inner_text())
    assert len(seen) == 3
    assert page.evaluate("window.moved") >= 2
    picture("8-simulating")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".verdict")).to_contain_text("Cancelled")

    page.get_by_role("link", name="Simulations").first.click()
    page.get_by_role("link", name="Simulate").first.click()
    page.locator("select[name=traffic]").select_option("example:quickstart")
    page.get_by_role("button", name="Simulate").click()
    # Nobody reloads: the page itself sees it end.
    expect(page.get_by_label("What came of it")).to_contain_text("120")
    for heading in ("Replicas", "Pools", "Longest to a first token, and why"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.locator("[data-plot='percentiles'] svg").first).to_be_visible()
    picture("9-simulated")
