"""The editor's own script: rows come however slow the console answers, and the hand stays where it was."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tenancy.models import Role


@pytest.fixture
def slow(running, sign_in, live_server):
    """``slow(path)``: an editor whose first question after it was opened gets no answer."""

    def opened(path):
        page = sign_in("olga", Role.OPERATOR)
        page.goto(live_server.url + path)
        expect(page.locator("#findings")).to_contain_text("Nothing to say against it")
        held: list[Route] = []
        page.route("**/draft/**", lambda route: route.continue_() if held else held.append(route))
        return page

    return opened


def test_an_entry_is_added_to_a_table_and_saved_whatever_else_is_asked_meanwhile(slow):
    page = slow("/e/dev/policies/expectations/acme-is-served-from-its-reservation/")
    page.fill("#f-spec-given-fleet-0-value-load", "90")
    page.click("[data-arrange='add spec/given/fleet']")
    expect(page.locator("#f-spec-given-fleet-1-key")).to_be_focused()
    page.select_option("#f-spec-given-fleet-1-key", "chat-b")
    page.fill("#f-spec-given-fleet-1-value-load", "lots")
    expect(page.locator("#f-spec-given-fleet-1-value-load--errors")).to_contain_text("found the text `lots`")
    page.fill("#f-spec-given-fleet-1-value-load", "40")
    expect(page.locator("#yaml")).to_have_value(re.compile("chat-a: {load: 90%}, chat-b: {load: 40%}"))
    page.click("[data-save]")
    page.wait_for_url("**/?saved=*")


def test_a_limits_unit_follows_what_it_is_of(slow):
    page = slow("/e/dev/policies/quotas/initech/")
    expect(page.locator("#f-spec-limits-0-limit--unit")).to_have_text("requests")
    page.select_option("#f-spec-limits-0-of", "spend")
    expect(page.locator("#f-spec-limits-0-limit--unit")).to_have_text("money")
    expect(page.locator("#f-spec-limits-0-of")).to_be_focused()
