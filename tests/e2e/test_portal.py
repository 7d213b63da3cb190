"""The tenant portal in a browser: wide and at 320 px, light and dark, by keyboard; pictured."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from portal.selectors.levels import LaneLevel, LimitLevel, Places
from tenancy.models import ApiKey, Role, TeamLimit
from tests.e2e.conftest import ARTIFACTS, WIDE, walked
from tests.portal.conftest import REQUEST_A, gateway_says, world  # noqa: F401 - fixtures

NARROW = {"width": 320, "height": 700}
SCREENS = {
    "overview": "/portal/overview/dev/acme/",
    "team": "/portal/overview/dev/acme/search/",
    "keys": "/portal/keys/dev/acme/?all=1",
    "replace": "/portal/rotate-key/KEY/dev/acme/",
    "revoke": "/portal/revoke-key/KEY/dev/acme/",
    "teams": "/portal/teams/dev/acme/",
    "no-teams": "/portal/teams/dev/acme/search/",
    "usage": "/portal/usage/dev/acme/",
    "usage-by-tier": "/portal/usage/dev/acme/?by=tier",
    "refusals": "/portal/refusals/dev/acme/",
    "request": f"/portal/request/{REQUEST_A}/dev/acme/",
    "start": "/portal/start/dev/acme/",
}
LEVELS = {
    "limits": [
        LimitLevel("acme", "acme", "total_tokens", "1m", 4_000_000, 3_480_000, 52_000_000),
        LimitLevel("acme", "acme", "requests", "1m", 3000, 812, 16_000_000),
        LimitLevel("acme", "acme", "spend", "month", 20_000 * 10**9, 20_000 * 10**9, 345_600_000_000),
    ],
    "concurrency": [Places("acme", "acme", 37, 400)],
    "reservations": [LaneLevel("acme-chat", "acme", True, 412_000, 120_000)],
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_screen_is_sound(world, gateway_says, sign_in, live_server, theme, size):  # noqa: F811
    gateway_says(**LEVELS)
    page = sign_in("ana", Role.TENANT_ADMIN, tenant="acme", color_scheme=theme, viewport=size)
    folder = ARTIFACTS / "portal" / f"{theme}-{size['width']}"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    addresses = {
        name: live_server.url + path.replace("KEY", world.key.key_id) for name, path in SCREENS.items()
    }
    for name, shown in walked(page, addresses):
        shown.screenshot(path=folder / f"{name}.png", full_page=True)
        wrong = [
            f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}"
            for each in Axe().run(shown).response["violations"]
        ]
        if not shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
            wrong.append("it is wider than the window")
        if wrong or shown.problems:
            found[name] = [*wrong, *shown.problems]
    assert not found, "\n".join(f"{name}: {problems}" for name, problems in found.items())


def test_scripts_stay_within_their_budget_and_nothing_shifts(world, gateway_says, sign_in, live_server):  # noqa: F811
    gateway_says(**LEVELS)
    page = sign_in("ana", Role.TENANT_ADMIN, tenant="acme")
    page.add_init_script(
        "window.lcp = 0; window.cls = 0;"
        "new PerformanceObserver(l => { for (const e of l.getEntries()) window.lcp = e.startTime; })"
        ".observe({type: 'largest-contentful-paint', buffered: true});"
        "new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) "
        "window.cls += e.value; })"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(f"{live_server.url}/portal/overview/dev/acme/")
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.initiatorType === 'script')"
        ".map(e => [e.name, e.encodedBodySize])"
    )
    assert sizes
    assert sum(size for _, size in sizes) <= 90 * 1024, sizes
    assert page.evaluate("window.cls") <= 0.05
    print("LCP", page.evaluate("window.lcp"), "JS", sum(size for _, size in sizes))  # noqa: T201 - a figure


def test_a_key_is_made_copied_replaced_and_revoked(world, sign_in, live_server):  # noqa: F811
    page = sign_in("ana", Role.TENANT_ADMIN, tenant="acme", permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{live_server.url}/portal/keys/dev/acme/")
    page.get_by_label("What it is for").fill("night shift")
    page.get_by_label("Team").select_option("acme/shop")
    page.get_by_label("Expires after").fill("30")
    page.get_by_role("button", name="Create key").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.reload()
    assert secret not in page.content()
    row = ApiKey.objects.get(name="night shift")
    page.goto(f"{live_server.url}/portal/keys/dev/acme/")
    page.get_by_role("link", name="Replace night shift").click()
    page.get_by_role("button", name="Replace").click()
    expect(page.get_by_text("goes on working for 24 h")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Being replaced")).to_be_visible()
    page.goto(f"{live_server.url}/portal/revoke-key/{row.key_id}/dev/acme/")
    page.get_by_role("button", name=f"Revoke {row.key_id}").click()
    expect(page.get_by_text(f"Key {row.key_id} is revoked.")).to_be_visible()
    assert page.problems == []


def test_a_share_is_moved_by_keyboard_with_what_it_changes_told_first(world, sign_in, live_server):  # noqa: F811
    page = sign_in("ana", Role.TENANT_ADMIN, tenant="acme")
    page.goto(f"{live_server.url}/portal/teams/dev/acme/")
    page.get_by_label("Weight").first.focus()
    page.keyboard.type("1")
    expect(page.get_by_text("60 % → 40 %")).to_be_visible()
    page.get_by_label("Weight").first.fill("5")
    expect(page.get_by_text("share_too_small")).to_be_visible()
    page.get_by_label("Weight").first.fill("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Weight 1 moved from search to shop.")).to_be_visible()
    expect(page.get_by_text("moved by your administrators").first).to_be_visible()
    assert page.problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_limit_is_refused_at_its_field_and_then_saved(world, gateway_says, sign_in, live_server, theme):  # noqa: F811
    gateway_says(**LEVELS)
    size = {"width": 390, "height": 800}
    page = sign_in("ana", Role.TENANT_ADMIN, tenant="acme", color_scheme=theme, viewport=size)
    page.goto(f"{live_server.url}/portal/teams/dev/acme/")
    page.locator("summary").first.click()
    field = page.get_by_label("Requests a minute").first
    field.fill("3001")
    said = page.locator("#acme_search-requests-1m-said")
    expect(said).to_contain_text("limit_above_parent")
    assert not Axe().run(page).response["violations"]
    field.fill("2k")
    expect(said).to_be_empty()
    page.get_by_role("button", name="Save limits").first.click()
    expect(page.get_by_text("1 set by your administrators")).to_be_visible()
    assert list(TeamLimit.objects.values_list("tenant", "amount")) == [("acme/search", 2000)]
    assert not page.problems
