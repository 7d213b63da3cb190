"""The loop, with a real console and a real gateway: saved, acknowledged, enforced, taken back.

On SQLite and on PostgreSQL. The tests of a module share one console; each begins from what it finds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.console import ENVIRONMENT, Console, Gateway, followed_console, until
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"live-{request.param}")
    if request.param == "sqlite":
        with followed_console(folder) as made:
            yield made
        return
    with fresh_database() as url, followed_console(folder, database=url) as made:
        yield made


@pytest.fixture
def console(world: tuple[Console, Gateway]) -> Console:
    return world[0]


@pytest.fixture
def gateway(world: tuple[Console, Gateway]) -> Gateway:
    return world[1]


@pytest.fixture
def key(console, gateway):
    """A key of acme's that works at the gateway."""
    made = console.create_key()
    until(lambda: gateway.chat(made["secret"]).status_code == 200, "the key's first answer")
    return made


def code_of(answer):
    return answer.json()["error"]["code"]


def test_a_saved_limit_is_built_acknowledged_enforced_and_rolled_back(console, gateway, key):
    before = console.status()["release"]
    console.limit_requests(1)
    told = console.wait_in_step(version=before["version"] + 1)
    (seen,) = told["rings"][0]["gateways"]
    assert seen["applied"] == seen["attempted"] == seen["desired"] == told["release"]["bundle"]
    assert told["release"]["bundle"] != before["bundle"]
    assert gateway.ready()["pointer"]["version"] == told["release"]["version"]
    gateway.chat(key["secret"])
    refused = gateway.chat(key["secret"])
    assert (refused.status_code, code_of(refused)) == (429, "rate_limit_exceeded")

    back = console.roll_back(reason="too strict", after=told["release"]["version"])
    assert (back["bundle"], back["rollback_of"]) == (before["bundle"], before["version"])
    console.wait_in_step(version=back["version"])
    assert [gateway.chat(key["secret"]).status_code for _ in range(3)] == [200, 200, 200]
    done = until(lambda: console.get(f"{ENVIRONMENT}/releases/{back['version']}")["state"] == "done", "done")
    assert done


def test_a_key_lives_and_dies_without_a_build(console, gateway):
    release = console.status()["release"]
    bundle, serial = gateway.ready()["bundle"], gateway.ready()["directory_serial"]
    made = console.create_key()
    until(lambda: gateway.chat(made["secret"]).status_code == 200, "the new key's first answer")
    turned = console.post(f"{ENVIRONMENT}/keys/{made['key_id']}/rotate", overlap_seconds=3600)
    until(lambda: gateway.chat(turned["secret"]).status_code == 200, "the rotated key's first answer")
    assert gateway.chat(made["secret"]).status_code == 200, "the old key works on for the overlap"
    for each in (made, turned):
        console.revoke_key(each["key_id"])
        until(lambda: gateway.chat(each["secret"]).status_code == 401, "the revocation")  # noqa: B023
    assert gateway.ready()["bundle"] == bundle
    assert gateway.ready()["directory_serial"] == serial + 4
    assert console.status()["release"] == release


def test_what_is_set_for_a_team_reaches_the_gateway_without_a_build_and_holds_there(console, gateway):
    console.save("Tenant", "acme/search", "spec: {tiers: [standard]}")
    rights = "delegation: {weight: true, limits: true}"
    version = console.status()["release"]["version"]
    console.save(
        "Quota", "acme", f"spec: {{tenant: acme, limits: [{{of: requests, per: day, limit: 9k}}], {rights}}}"
    )
    console.wait_in_step(version=version + 1)
    secret = console.create_key("acme/search")["secret"]
    until(lambda: gateway.chat(secret).status_code == 200, "the team's first answer")
    before = gateway.ready()
    answer = console.api.put(f"{ENVIRONMENT}/shares/acme/search", json={"weight_ppm": 2_500_000})
    assert answer.status_code == 200
    after = gateway.wait_ready(
        lambda ready: ready["directory_serial"] == before["directory_serial"] + 1, "the next directory"
    )
    limits = f"{ENVIRONMENT}/team-limits/acme/search"
    one_a_day = {"limits": [{"of": "requests", "per": "day", "amount": 1}]}
    assert console.api.put(limits, json=one_a_day).status_code == 200
    gateway.wait_ready(
        lambda ready: ready["directory_serial"] == after["directory_serial"] + 1,
        "the directory with the limit",
    )
    told = console.wait_in_step()
    assert gateway.ready()["bundle"] == before["bundle"]
    assert gateway.ready()["teams_refused"] == []
    assert told["rings"][0]["pointer"]["directory_serial"] == after["directory_serial"] + 1
    assert gateway.chat(secret).status_code == 200, "a limit that was not there had counted nothing"
    assert code_of(gateway.chat(secret)) == "rate_limit_exceeded"
    assert console.api.put(limits, json={"limits": []}).status_code == 200
    until(lambda: gateway.chat(secret).status_code == 200, "the policy's own limit again")


def test_a_rollback_does_not_revive_a_revoked_key(console, gateway, key):
    """The key worked under the bundle that is brought back."""
    first = console.status()["release"]
    console.limit_requests(500_000)
    console.wait_in_step(version=first["version"] + 1)
    console.revoke_key(key["key_id"])
    until(lambda: gateway.chat(key["secret"]).status_code == 401, "the revocation")
    serial = gateway.ready()["directory_serial"]
    back = console.roll_back()
    console.wait_in_step(version=back["version"])
    ready = gateway.ready()
    assert ready["bundle"] == first["bundle"]
    assert ready["directory_serial"] >= serial
    refused = gateway.chat(key["secret"])
    assert refused.status_code == 401


def test_many_who_publish_at_once_get_versions_of_their_own(console, gateway):
    bundle = console.status()["release"]["bundle"]
    before = console.status()["release"]["version"]

    def publish(number: int) -> int:
        return int(console.post(f"{ENVIRONMENT}/releases", bundle=bundle, reason=f"{number}")["version"])

    with ThreadPoolExecutor(6) as people:
        versions = sorted(people.map(publish, range(6)))
    assert versions == list(range(before + 1, before + 7))
    told = console.wait_in_step(version=versions[-1])
    assert told["rings"][0]["pointer"]["version"] == versions[-1]


def test_of_two_who_looked_at_the_same_release_one_publishes(console):
    def publish(asked: dict[str, Any]) -> tuple[int, str]:
        answer = console.api.post(f"{ENVIRONMENT}/releases", json=asked)
        return answer.status_code, answer.json().get("code", "")

    for _ in range(5):  # while the gateway reports what it runs, which is written beside them
        release = console.status()["release"]
        asked = {"bundle": release["bundle"], "after": release["version"]}
        with ThreadPoolExecutor(4) as people:
            answers = sorted(people.map(publish, [asked] * 4))
        assert answers == [(201, ""), *[(409, "release_moved")] * 3]


def test_of_two_who_save_the_same_object_one_is_told_what_the_other_did(console):
    console.save("Tier", "standard", "spec: {service_tier: [default, standard], band: 205}")
    path = f"{ENVIRONMENT}/documents/Tier/standard"
    tag = console.api.get(path).headers["ETag"]

    def save(band: int) -> int:
        text = (
            "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: standard}\n"
            f"spec: {{service_tier: [default, standard], band: {band}}}\n"
        )
        headers = {"If-Match": tag, "content-type": "application/yaml"}
        return int(console.api.put(path, content=text, headers=headers).status_code)

    with ThreadPoolExecutor(4) as people:
        answers = sorted(people.map(save, (206, 207, 208, 209)))
    assert answers == [200, 412, 412, 412]


def test_saves_in_a_burst_end_with_the_last_one_enforced(console, gateway):
    version = console.status()["release"]["version"]
    for band in range(210, 220):
        console.save("Tier", "standard", f"spec: {{service_tier: [default, standard], band: {band}}}")
    (newest,) = console.get(f"{ENVIRONMENT}/revisions?limit=1")["items"]
    told = until(
        lambda: (seen := console.status())["release"]["revision"] == newest["digest"] and seen, "its release"
    )
    assert told["release"]["version"] > version
    told = console.wait_in_step(version=told["release"]["version"])
    assert gateway.ready()["bundle"] == told["release"]["bundle"]
