"""The portal over a real console and a real gateway: what it changes is in force, what it shows is so."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.console import GUARD, Console, Gateway, set_up, until
from tests.support.replica import replica

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KEYS, OVERVIEW = "/portal/keys/dev/acme/", "/portal/overview/dev/acme/"


class Portal:
    """Acme's administrator in a browser without pictures."""

    def __init__(self, console: Console) -> None:
        self.client = httpx.Client(
            base_url=console.url, timeout=GUARD, trust_env=False, follow_redirects=True
        )
        self.sent("/sign-in/", "/sign-in/", username="ana", password="a-long-enough-one")

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def sent(self, form_at: str, path: str, **values: str) -> str:
        """What a form that stands at one address answers when it is sent to another."""
        page = self.page(form_at)
        hidden = dict(re.findall(r'name="(csrfmiddlewaretoken|token)" value="([^"]+)"', page))
        answer = self.client.post(path, data=hidden | values, headers={"Referer": str(self.client.base_url)})
        assert answer.status_code == 200, answer.text
        return answer.text

    def create(self) -> tuple[str, str]:
        """A key of acme's: its id and its secret."""
        values = {"name": "worker", "team": "acme", "scopes": "inference"}
        secret = re.findall(
            r'id="secret">([^<]+)<', self.sent(KEYS, "/portal/create-key/dev/acme/", **values)
        )[0]
        return secret.split("_")[1], secret


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[tuple[Console, Gateway, Portal]]:
    folder = tmp_path_factory.mktemp("portal")
    with replica() as url:
        environment, token = set_up(folder, url)
        console = Console(folder, environment, token)
        gateway = Gateway(folder, console.url)
        console.environment["HEADWAY_GATEWAY_ADMIN_URL"] = f"http://127.0.0.1:{gateway.admin_port}"
        try:
            console.start()
            gateway.enrol(console)
            gateway.start()
            console.wait_in_step()
            yield console, gateway, Portal(console)
        finally:
            gateway.stop()
            console.stop()


def test_a_key_made_here_works_at_the_gateway_until_it_is_revoked_here(world):
    _, gateway, portal = world
    key, secret = portal.create()
    until(lambda: gateway.chat(secret).status_code == 200, "the new key's first answer")
    path = f"/portal/revoke-key/{key}/dev/acme/"
    assert "is revoked" in portal.sent(path, path)
    began = time.monotonic()
    until(lambda: gateway.chat(secret).status_code == 401, "the revocation")
    print(f"revoked at the gateway {1000 * (time.monotonic() - began):.0f} ms after the page's answer")  # noqa: T201


def test_a_replaced_key_and_its_follower_work_side_by_side(world):
    _, gateway, portal = world
    key, secret = portal.create()
    path = f"/portal/rotate-key/{key}/dev/acme/"
    newer = re.findall(r'id="secret">([^<]+)<', portal.sent(path, path, hours="1"))[0]
    until(lambda: gateway.chat(newer).status_code == 200, "the follower's first answer")
    assert gateway.chat(secret).status_code == 200
    path = f"/portal/rotate-key/{newer.split('_')[1]}/dev/acme/"
    portal.sent(path, path, hours="0")
    until(lambda: gateway.chat(newer).status_code == 401, "the end of a key without an overlap")


def test_the_fill_of_a_limit_is_what_the_gateway_counts(world):
    console, gateway, portal = world
    _, secret = portal.create()
    told = console.status()["release"]["version"]
    console.save("Quota", "acme", "spec: {tenant: acme, limits: [{of: requests, per: day, limit: 500}]}")
    console.wait_in_step(version=told + 1)
    until(lambda: gateway.chat(secret).status_code == 200, "the key's first answer")
    for _ in range(4):
        assert gateway.chat(secret).status_code == 200

    def shown() -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", portal.page(OVERVIEW)))

    assert "5 of 500" in shown()
    assert "As the gateway enforces them now" in shown()
    assert "resets in" in shown()
    until(lambda: re.search(r"Requests[1-9]", shown()), "the ledger's count")
    gateway.stop()
    assert "the gateway does not answer right now" in shown()
    assert "– of 500" in shown()
