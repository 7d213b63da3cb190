"""The live page in a real browser, over the demo: fresh, still when told to be, whole after a break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ARTIFACTS, WIDE
from tests.support.running import Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

LIVE = "document.querySelector('[data-live-page]').live"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Run]:
    started = Run(tmp_path_factory.mktemp("up") / "var")
    started.wait_started()
    yield started
    started.end()


@pytest.fixture(scope="module")
def signed_in(browser, run) -> Iterator[Page]:
    context = browser.new_context(base_url=run.facts()["console_url"], viewport=WIDE, color_scheme="light")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("User name").fill(run.facts()["operator"]["username"])
    page.get_by_label("Password").fill(run.facts()["operator"]["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    yield page
    context.close()


@pytest.fixture
def page(signed_in) -> Iterator[Page]:
    """The live page, with figures on it; what the browser complains of fails the test."""
    complaints: list[str] = []

    def said(message):
        if message.type == "error":
            complaints.append(message.text)

    signed_in.on("console", said)
    signed_in.goto("/live/")
    signed_in.wait_for_function(f"() => ({LIVE}?.frames.d ?? 0) > 15", timeout=60_000)
    yield signed_in
    signed_in.remove_listener("console", said)
    assert complaints == [], "nothing is against the content policy, and nothing failed"


def test_figures_come_each_second_and_their_age_is_told(page):
    expect(page.locator("[data-pill]")).to_contain_text("Live")
    expect(page.locator("[data-replicas] tr")).to_have_count(8)
    expect(page.locator("[data-replicas-told]")).to_have_text("8 of 8 answer")
    before = page.evaluate(f"{LIVE}.seconds.last")
    page.wait_for_function(f"before => {LIVE}.seconds.last >= before + 3000", arg=before)
    assert page.evaluate(f"{LIVE}.pulse.age") < 3_000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_breaks_no_rule_of_accessibility_and_is_pictured(page, theme):
    page.emulate_media(color_scheme=theme)
    page.reload()
    page.wait_for_function(f"() => ({LIVE}?.frames.d ?? 0) > 15")
    folder = ARTIFACTS / "screens" / theme
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / "live.png", full_page=True)
    found = [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in Axe().run(page).response["violations"]
    ]
    assert found == []
    page.emulate_media(color_scheme="light")


def shown_beside_rest(page):
    """Of the last twelve seconds and every tier: time, tier, tokens by REST and as the chart has them."""
    return page.evaluate(
        """async () => {
          const live = document.querySelector('[data-live-page]').live;
          const { environment, series } = document.querySelector('[data-live-page]').dataset;
          const last = live.seconds.last;
          const asked = new URLSearchParams(
            {environment, table: 'fleet.tiers', since: last - 12000, until: last, step: 1});
          const answer = await (await fetch(`${series}?${asked}`)).json();
          const column = answer.metrics.indexOf('tokens');
          const rows = [];
          answer.times.forEach((ms, at) => {
            for (const key of Object.keys(answer.values)) {
              const index = live.seconds.nearest(ms);
              const known = live.seconds.times[index] === ms;
              const shown = known ? live.seconds.column(`tiers ${key} tokens`)[index] : 'missing';
              const told = answer.values[key][at]?.[column] ?? null;
              rows.push([ms, key, told, Number.isNaN(shown) ? null : shown]);
            }
          });
          return rows;
        }"""
    )


def test_after_a_break_there_is_no_snapshot_no_hole_and_what_rest_says(page):
    before = page.evaluate(f"({{...{LIVE}.frames}})")
    page.wait_for_timeout(3_000)
    page.evaluate(f"{LIVE}.socket.drop()")
    expect(page.locator("[data-pill]")).to_contain_text("Reconnecting")
    page.wait_for_timeout(4_000)
    expect(page.locator("[data-pill]")).to_contain_text("Live", timeout=20_000)
    page.wait_for_timeout(3_000)
    assert page.evaluate(f"{LIVE}.frames.snap") == before["snap"], "resumed, not begun anew"
    told = shown_beside_rest(page)
    assert len({row[0] for row in told}) >= 11, "a point each second"
    for _ in range(20):  # a second that a gateway told of late is asked for by REST when the page hears of it
        if all(row[2] == row[3] for row in told):
            break
        page.wait_for_timeout(500)
        told = shown_beside_rest(page)
    assert [row for row in told if row[2] != row[3]] == [], sorted({row[0] for row in told})


def test_paused_the_charts_stand_still_and_count_what_waits(page):
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-pill]")).to_contain_text("Paused")
    edge = page.evaluate(f"{LIVE}.wall.view.to")
    expect(page.locator("[data-held]")).to_contain_text("new", timeout=10_000)
    assert page.evaluate(f"{LIVE}.wall.view.to") == edge
    page.get_by_role("button", name="Resume").first.click()
    expect(page.locator("[data-pill]")).to_contain_text("Live")


def test_pointing_at_a_chart_holds_all_of_them(page):
    page.locator("[data-chart=ttft] [data-plot]").hover()
    expect(page.locator("[data-held]")).to_contain_text("Held at")
    page.mouse.move(5, 5)
    expect(page.locator("[data-held]")).to_have_text("")


def test_what_is_chosen_is_in_the_address_and_comes_back(page):
    page.get_by_role("button", name="15 min").click()
    page.get_by_role("button", name="Waiting", exact=True).click()
    assert "span=900" in page.url
    assert "metric=waiting" in page.url
    page.reload()
    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Waiting", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_heat_map_is_walked_with_the_arrow_keys(page):
    cell = page.locator("[data-heat] [role=gridcell][tabindex='0']")
    cell.focus()
    first = cell.get_attribute("aria-label")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    second = page.locator("[data-heat] [role=gridcell]:focus").get_attribute("aria-label")
    assert first != second
    assert second.startswith("replica ")
    expect(page.locator("[data-heat-told]")).to_have_text(second)


def test_history_is_drawn_by_plotly_under_the_same_policy(page):
    page.wait_for_timeout(1_000 * max(0, 75 - page.evaluate("performance.now()") / 1000))  # a minute is over
    page.goto(page.url.split("?")[0] + "history/")
    expect(page.locator("[data-told]")).to_contain_text("point", timeout=30_000)
    expect(page.locator(".main-svg").first).to_be_visible(timeout=30_000)
    found = [each["id"] for each in Axe().run(page).response["violations"]]
    page.screenshot(path=ARTIFACTS / "screens" / "light" / "history.png", full_page=True)
    assert found == []


def test_a_promise_s_row_is_filled_in_by_its_key(page):
    """As the page does when the policy promises something of a class: the demo's does not."""
    told = page.evaluate(
        """async () => {
            const from = document.querySelector('script[src*="live/page"]').src;
            const { promises } = await import(new URL("./machines.js", from));
            const body = document.createElement("tbody");
            for (const key of ["a ttft 1us 0..8 tokens", "a deadline 1us"]) {
                const row = body.insertRow();
                row.dataset.promise = key;
                for (let at = 0; at < 4; at += 1) row.insertCell();
            }
            promises(null)([]);
            promises(body)([{ key: "a ttft 1us 0..8 tokens", given: 2.5, kept: 0.75 }]);
            return [...body.rows].map((row) => [row.cells[2].textContent, row.cells[3].textContent]);
        }"""
    )
    assert told == [["75 %", "2.5"], ["\u2013", "\u2013"]]
