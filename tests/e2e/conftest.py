"""A real browser against a served console. Pictures go to ``test-artifacts/``, which is not kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.console.conftest import lived_in, person, quickstart, running  # noqa: F401 - fixtures

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
WIDE = {"width": 1440, "height": 900}


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:  # a browser on a busy machine, screen after screen
                item.add_marker(pytest.mark.timeout(300))
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # a guard against waiting for ever, beside other tests on two cores
    # Playwright's synchronous interface keeps an event loop running in this thread: it must have ended
    # before another module's tests start a loop of their own, and Django would take it for a view that
    # blocks one.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def watched(context):
    """A new page that keeps what went wrong on it."""
    page = context.new_page()
    page.problems = []
    page.on("console", lambda said: said.type == "error" and page.problems.append(said.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def walked(page, addresses):
    """(name, page) of each address once nothing more is loaded for it. Whether that is so takes half a second
    to know: the next one is loaded meanwhile, on another page."""
    tabs = [page, watched(page.context)]
    names = list(addresses)
    tabs[0].goto(addresses[names[0]])
    for at, name in enumerate(names):
        shown, following = tabs[at % 2], tabs[(at + 1) % 2]
        if at + 1 < len(names):
            following.goto(addresses[names[at + 1]])
        shown.wait_for_load_state("networkidle")
        yield name, shown
        shown.problems.clear()


@pytest.fixture
def sign_in(browser, live_server):
    """``sign_in("olga", Role.OPERATOR)``: a page of somebody's who has just signed in."""
    contexts = []

    def opened(name, role, *, tenant="", **options):
        person(name, role, tenant)
        context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = watched(context)
        page.goto(f"{live_server.url}/sign-in/")
        page.fill("#id_username", name)
        page.fill("#id_password", "a-long-enough-one")
        page.click("text=Sign in >> nth=-1")
        page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield opened
    for context in contexts:
        context.close()
