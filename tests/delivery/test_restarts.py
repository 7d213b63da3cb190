"""Processes die: the console under load, the gateway without its console, either in the middle of a change.

What must hold: a gateway that serves goes on serving, whatever happens to the console; it comes back from
its own death with what it last served; and once both are there, both are in step again.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.support.console import Console, Gateway, Load, followed_console, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with followed_console(tmp_path_factory.mktemp("restarts")) as made:
        yield made


@pytest.fixture
def console(world: tuple[Console, Gateway]) -> Console:
    if not world[0].running:
        world[0].start()
    return world[0]


@pytest.fixture
def gateway(world: tuple[Console, Gateway], console: Console) -> Gateway:
    if not world[1].running:
        world[1].start()
    console.wait_in_step()
    return world[1]


@pytest.fixture
def secret(console, gateway) -> str:
    made = str(console.create_key()["secret"])
    until(lambda: gateway.chat(made).status_code == 200, "the key's first answer")
    return made


def save_band(console, band):
    return console.save("Tier", "standard", f"spec: {{service_tier: [default, standard], band: {band}}}")


def test_a_console_killed_under_load_costs_no_request_and_is_caught_up_with(console, gateway, secret):
    version = console.status()["release"]["version"]
    with Load(gateway, secret) as load:
        load.wait_for(20)
        console.kill()
        load.wait_for(50)
        console.start()
        save_band(console, 230)
        told = console.wait_in_step(version=version + 1)
        load.wait_for(20)
    assert set(load.answers) == {200}
    assert gateway.ready()["bundle"] == told["release"]["bundle"]


def test_a_console_killed_between_save_and_release_releases_when_it_is_back(console, gateway, secret):
    """The merge is committed when the save is answered; everything after it may be lost with the process."""
    for band in (231, 232, 233):
        version = console.status()["release"]["version"]
        saved = save_band(console, band)
        console.kill()
        assert gateway.chat(secret).status_code == 200
        console.start()
        told = until(
            lambda: (
                (seen := console.status())["revision"] == saved["revision"]["digest"]  # noqa: B023
                and seen["release"]["version"] > version  # noqa: B023
                and seen
            ),
            "the release of what was saved",
        )
        told = console.wait_in_step(version=told["release"]["version"])
        assert gateway.ready()["bundle"] == told["release"]["bundle"]


def test_a_revocation_survives_the_console_that_died_with_it(console, gateway):
    made = console.create_key()
    until(lambda: gateway.chat(made["secret"]).status_code == 200, "the key's first answer")
    console.revoke_key(made["key_id"])
    console.kill()
    console.start()
    until(lambda: gateway.chat(made["secret"]).status_code == 401, "the revocation")


def test_a_gateway_killed_without_its_console_comes_back_with_what_it_served(console, gateway, secret):
    before = gateway.ready()
    console.stop()
    gateway.kill()
    gateway.start()
    after = gateway.ready()
    for same in ("bundle", "directory_serial", "pointer"):
        assert after[same] == before[same]
    assert gateway.chat(secret).status_code == 200
    console.start()
    version = console.status()["release"]["version"]
    save_band(console, 240)
    console.wait_in_step(version=version + 1)


def test_a_gateway_restarted_without_its_console_still_refuses_a_revoked_key(console, gateway, secret):
    made = console.create_key()
    until(lambda: gateway.chat(made["secret"]).status_code == 200, "the key's first answer")
    console.revoke_key(made["key_id"])
    until(lambda: gateway.chat(made["secret"]).status_code == 401, "the revocation")
    console.wait_in_step()
    console.kill()
    gateway.kill()
    gateway.start()
    assert gateway.chat(made["secret"]).status_code == 401
    assert gateway.chat(secret).status_code == 200


def test_a_gateway_killed_at_any_moment_of_a_change_serves_the_old_or_the_new(console, gateway, secret):
    """Ten kills, each at another distance from the save that sets the change going."""
    bundles = {gateway.ready()["bundle"]}
    for number in range(10):
        version = console.status()["release"]["version"]
        save_band(console, 250 + number)
        for _ in range(number):
            gateway.chat(secret)
        gateway.kill()
        gateway.start()
        bundles.add(gateway.ready()["bundle"])
        assert gateway.chat(secret).status_code == 200
        told = console.wait_in_step(version=version + 1)
        assert gateway.ready()["bundle"] == told["release"]["bundle"]
        bundles.add(told["release"]["bundle"])
    assert len(bundles) == 11, "nothing was served but what was released"


def test_a_damaged_state_folder_is_refused_and_made_anew_from_the_console(console, gateway, secret):
    version = console.status()["release"]["version"]
    gateway.stop()
    archive = gateway.state / "current" / "bundle.tar"
    damaged = bytearray(archive.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    archive.write_bytes(bytes(damaged))
    gateway.start()
    assert gateway.chat(secret).status_code == 200
    console.wait_in_step(version=version)
    assert archive.read_bytes() != bytes(damaged)


def test_a_second_web_process_is_refused_while_the_first_serves(console, tmp_path):
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "headway.web", "--port", "0"],
        env=console.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode != 0
    assert "another web process" in done.stderr
    assert console.status()["release"]
