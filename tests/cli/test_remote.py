"""``headway plan | apply | status | rollback`` against a real console that a real gateway follows."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.support import commands
from tests.support.console import ENVIRONMENT, GUARD, Console, Gateway, followed_console
from tests.support.found import found
from tests.support.policies import ROOT, written
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with followed_console(tmp_path_factory.mktemp("remote")) as made:
        yield made


@pytest.fixture
def console(world: tuple[Console, Gateway]) -> Console:
    world[0].wait_in_step()
    return world[0]


@pytest.fixture
def gateway(world: tuple[Console, Gateway], console) -> Gateway:
    return world[1]


@pytest.fixture
def folder(tmp_path):
    """A tier nobody has yet: another one for each test."""
    made = tmp_path / "policy"
    made.mkdir()
    write(made, 40)
    return made


def write(folder, band, name=""):
    name = name or re.sub(r"[^a-z0-9]", "", folder.parent.name.lower())
    (folder / "tier.yaml").write_text(written(f"Tier/{name}", f"spec: {{band: {band}}}"))


def given(console, environment):
    return {"HEADWAY_SERVER": console.url, "HEADWAY_TOKEN": console.token, **environment}


def headway(console, *arguments, **environment):
    return commands.headway(*arguments, environment=given(console, environment))


def typed(console, *arguments):
    """The same in a process of its own, as a shell has it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HEADWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "headway", *arguments],
        cwd=ROOT,
        env={**kept, **given(console, {})},
        capture_output=True,
        text=True,
        timeout=3 * GUARD,
    )


def planned(console, folder, *options):
    ran = headway(console, "plan", str(folder), "--environment", "dev", "--format", "json", *options)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def apply(console, folder, digest, *options, **environment):
    return headway(
        console,
        *("apply", str(folder), "--environment", "dev", "--plan-digest", digest),
        *options,
        **environment,
    )


def revisions(console):
    return [row["number"] for row in console.get(f"{ENVIRONMENT}/revisions")["items"]]


def test_what_is_planned_is_applied_acknowledged_and_rolled_back(console, gateway, folder):
    before, old = console.status(), revisions(console)
    shown = headway(console, "plan", str(folder), "--environment", "dev")
    assert (shown.returncode, revisions(console)) == (0, old)
    digest = planned(console, folder)["plan_digest"]
    assert "1 to create" in shown.stdout
    assert re.search(r"^  \+ Tier \w+$", shown.stdout, re.M)
    assert f"plan {digest}" in shown.stdout
    assert f"--plan-digest {digest}" in shown.stdout

    ran = apply(console, folder, digest, "--reason", "a tier for tests")
    assert ran.returncode == 0, ran.stderr
    told = console.status()
    assert told["in_step"]
    assert gateway.ready()["bundle"] == told["release"]["bundle"] != before["release"]["bundle"]
    assert told["release"]["reason"] == "a tier for tests"
    assert "1 of 1 gateways have acknowledged" in ran.stdout
    assert planned(console, folder)["operations"] == []

    looked = headway(console, "status", "--environment", "dev")
    assert looked.returncode == 0
    assert re.search(rf"^gw-1 .* {told['release']['version']} .* yes ", looked.stdout, re.M)

    back = headway(console, "rollback", "--environment", "dev", "--reason", "enough")
    assert back.returncode == 0, back.stderr
    assert gateway.ready()["bundle"] == before["release"]["bundle"]
    assert f"brings release {before['release']['version']} back" in back.stdout


def test_a_plan_says_what_each_change_means_and_whom_it_reaches(console, folder):
    console.limit_requests(500_000)
    (folder / "tier.yaml").write_text(
        written("Quota/acme", "spec: {tenant: acme, limits: [{of: requests, per: 1m, limit: 20}]}")
    )
    shown = headway(console, "plan", str(folder), "--environment", "dev").stdout
    assert re.search(r"^  ~ Quota acme\n      .*500k.*20.*\(narrowing\)$", shown, re.M), shown
    assert "tenants reached: acme" in shown


def test_a_folder_is_compared_with_revisions_and_releases(console, folder):
    assert apply(console, folder, planned(console, folder)["plan_digest"]).returncode == 0
    newest = revisions(console)[0]
    release = console.status()["release"]["version"]
    tier = found(re.search(r"name: (\w+)", (folder / "tier.yaml").read_text()))[1]
    environment = ("--environment", "dev")
    since = headway(console, "diff", f"revision:{newest - 1}", "revision:current", *environment)
    assert (since.returncode, since.stderr) == (1, "")
    assert since.stdout.splitlines()[:2] == ["widening", f"  {tier}: tier added"]
    same = headway(console, "diff", f"release:{release}", "release:current", *environment)
    assert (same.returncode, same.stdout) == (0, "no difference\n"), same.stderr
    back = headway(console, "diff", "release:current", str(folder), *environment, "--format", "json")
    gone = {(c["kind"], c["action"]) for c in json.loads(back.stdout)["changes"]}
    assert ("Tenant", "delete") in gone
    assert ("Tier", "create") not in gone
    for address, said in ((f"revision:{newest + 99}", "unknown_revision"), ("release:x", "names nothing")):
        ran = headway(console, "diff", address, str(folder), *environment)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert said in ran.stderr


def test_the_command_a_plan_ends_with_does_it(console, folder):
    shown = typed(console, "plan", str(folder), "--environment", "dev")
    command = shown.stdout.strip().splitlines()[-1].removeprefix("to do it: headway ")
    assert typed(console, *command.split()).returncode == 0
    assert planned(console, folder)["operations"] == []


def test_applying_what_is_there_already_does_nothing(console, folder):
    assert apply(console, folder, planned(console, folder)["plan_digest"]).returncode == 0
    old = revisions(console)
    ran = apply(console, folder, planned(console, folder)["plan_digest"])
    assert (ran.returncode, revisions(console)) == (0, old)
    assert "nothing to do" in ran.stdout


@pytest.mark.parametrize("what", ["base", "files"])
def test_a_plan_whose_base_or_files_have_moved_on_is_not_applied(console, folder, what):
    digest = planned(console, folder)["plan_digest"]
    if what == "base":
        console.limit_requests(100_000 + len(revisions(console)))
    else:
        write(folder, 41)
    old = revisions(console)
    ran = apply(console, folder, digest)
    assert (ran.returncode, revisions(console)) == (1, old)
    assert "base_moved" in ran.stderr
    again = planned(console, folder)["plan_digest"]
    assert f"plan {again}" in ran.stderr, "the plan as it would be by now is shown"
    assert apply(console, folder, again).returncode == 0


def test_a_deletion_is_planned_only_when_asked_for(console, folder, tmp_path):
    assert apply(console, folder, planned(console, folder)["plan_digest"]).returncode == 0
    kept = tmp_path / "kept"
    kept.mkdir()
    mine = found(re.search(r"name: (\w+)", (folder / "tier.yaml").read_text()))[1]
    names = [
        (kind, row["name"])
        for kind in ("Model", "Pool", "Tier", "Tenant", "Route", "Quota")
        for row in console.get(f"{ENVIRONMENT}/documents/{kind}")["items"]
        if (kind, row["name"]) != ("Tier", mine)
    ]
    for kind, name in names:
        held = console.api.get(
            f"{ENVIRONMENT}/documents/{kind}/{name}", headers={"accept": "application/yaml"}
        )
        (kept / f"{kind}-{name}.yaml").write_text(held.text)
    assert planned(console, kept)["operations"] == []
    (gone,) = planned(console, kept, "--prune")["operations"]
    assert (gone["action"], gone["kind"], gone["name"]) == ("delete", "Tier", mine)


def test_mistakes_are_shown_in_the_authors_file_and_end_with_1(console, folder):
    (folder / "route.yaml").write_text(
        written("Route/lost", "spec:\n  rank: 7\n  targets:\n    - {pool: nowhere}")
    )
    ran = headway(console, "plan", str(folder), "--environment", "dev")
    assert ran.returncode == 1
    assert re.search(r"error\[REF101\].*nowhere", ran.stderr)
    assert re.search(r"route\.yaml:7:\d+", ran.stderr)
    assert "--plan-digest" not in ran.stdout, "what cannot be applied is not offered"
    told = headway(console, "plan", str(folder), "--environment", "dev", "--format", "json")
    assert (told.returncode, json.loads(told.stdout)["ok"]) == (1, False)
    old = revisions(console)
    refused = apply(console, folder, json.loads(told.stdout)["plan_digest"])
    assert (refused.returncode, revisions(console)) == (1, old)
    assert "unsound_policy" in refused.stderr


def test_no_acknowledgement_in_time_is_told_and_comes_later(console, gateway, folder):
    gateway.stop()
    try:
        ran = apply(console, folder, planned(console, folder)["plan_digest"], "--wait", "0.5")
        assert ran.returncode == 1
        assert "not acknowledged by everybody within 0.5 s" in ran.stderr
        assert headway(console, "status", "--environment", "dev").returncode == 1
    finally:
        gateway.start()
    console.wait_in_step()
    assert headway(console, "status", "--environment", "dev").returncode == 0


def test_a_credit_is_given_and_too_much_of_one_refused(console, folder):
    quota = "spec: {tenant: acme, limits: [{of: requests, per: day, limit: 100}]}"
    (folder / "tier.yaml").write_text(written("Quota/night", quota))
    assert apply(console, folder, planned(console, folder)["plan_digest"]).returncode == 0
    asked = ("credit", "night:requests:day", "--environment", "dev", "--reason", "a launch")
    given = headway(console, *asked, "--amount", "40")
    assert given.returncode == 0, given.stderr
    assert "40 more of night:requests:day for acme" in given.stdout
    assert headway(console, *asked, "--reset", "--format", "json").returncode == 0
    much = headway(console, *asked, "--amount", "61")
    assert (much.returncode, "credit_too_large" in much.stderr) == (1, True)
    for wrong in ((), ("--amount", "1", "--reset")):
        assert headway(console, *asked, *wrong).returncode == 2
    unknown = headway(console, "credit", "night:spend:day", *asked[2:], "--reset")
    assert (unknown.returncode, "unknown_limit" in unknown.stderr) == (1, True)


def test_an_override_is_enforced_listed_kept_over_a_kill_and_lifted(console, gateway):
    secret = console.create_key()["secret"]
    made = console.post(
        f"{ENVIRONMENT}/overrides", kind="block_tenant", subject="acme", lasts=600, reason="a flood"
    )
    blocked = gateway.wait_ready(lambda ready: ready["overrides"], "a gateway that blocks")
    assert [one["id"] for one in blocked["overrides"]] == [made["id"]]
    listing = ("override", "list", "--admin", f"http://127.0.0.1:{gateway.admin_port}")
    assert f"{made['id']}  block_tenant acme" in headway(console, *listing).stdout
    console.wait_in_step()
    gateway.kill()
    gateway.start()
    assert [one["id"] for one in gateway.ready()["overrides"]] == [made["id"]]
    refused = gateway.chat(secret)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "tenant_blocked")
    console.post(f"{ENVIRONMENT}/overrides/{made['id']}/lift")
    gateway.wait_ready(lambda ready: not ready["overrides"], "a gateway that blocks nobody")
    assert "no overrides in force" in headway(console, *listing).stdout


@pytest.mark.parametrize(
    ("environment", "options", "said"),
    [
        ({"HEADWAY_SERVER": ""}, (), "--server"),
        ({"HEADWAY_TOKEN": ""}, (), "--token"),
        ({"HEADWAY_TOKEN": "hws_guess"}, (), "unknown, expired or revoked"),
        ({"HEADWAY_TOKEN": "hws\nhost: x"}, (), "characters that no token has"),
        ({"HEADWAY_SERVER": "http://console.example"}, (), "use https"),
        ({"HEADWAY_SERVER": "console"}, (), "not an http(s) URL"),
        ({}, ("--environment", "nowhere"), "unknown_environment"),
    ],
)
def test_a_question_that_cannot_be_asked_ends_with_2(console, environment, options, said):
    for command in ("status", "rollback"):
        ran = headway(console, command, *(options or ("--environment", "dev")), **environment)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_console_that_is_not_there_is_named(console):
    address = f"http://127.0.0.1:{free_port()}"
    ran = headway(console, "status", "--environment", "dev", HEADWAY_SERVER=address)
    assert ran.returncode == 2
    assert f"{address} does not answer" in ran.stderr


def test_files_that_are_not_text_are_not_sent(console, folder):
    (folder / "tier.yaml").write_bytes(b"\xff\xfe\x00")
    ran = headway(console, "plan", str(folder), "--environment", "dev")
    assert ran.returncode == 2
    assert "not UTF-8" in ran.stderr


@contextmanager
def losing_answers_to(console, what: bytes):
    """A way to the console on which the answer to the first request for ``what`` is lost; its URL."""
    server = socket.create_server(("127.0.0.1", 0))
    lost = threading.Event()

    def carry(client):
        upstream = socket.create_connection(("127.0.0.1", console.port))
        doomed = threading.Event()

        def forward():
            with suppress(OSError):
                while request := client.recv(1 << 20):
                    if what in request and not lost.is_set():
                        lost.set()
                        doomed.set()
                    upstream.sendall(request)
                upstream.shutdown(socket.SHUT_WR)

        threading.Thread(target=forward, daemon=True).start()
        with suppress(OSError):
            while (answer := upstream.recv(1 << 20)) and not doomed.is_set():
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)

    def accept():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        assert lost.is_set(), "no answer was lost"
        server.close()


def test_an_apply_whose_answer_is_lost_is_done_once_and_told(console, folder):
    digest, old = planned(console, folder)["plan_digest"], revisions(console)
    with losing_answers_to(console, b"/apply ") as way:
        ran = apply(console, folder, digest, HEADWAY_SERVER=way)
    assert ran.returncode == 0, ran.stderr
    assert f"merged as revision {old[0] + 1}" in ran.stdout
    assert revisions(console) == [old[0] + 1, *old]


def test_a_rollback_whose_answer_is_lost_is_one_release(console, folder):
    assert apply(console, folder, planned(console, folder)["plan_digest"]).returncode == 0
    version = console.status()["release"]["version"]
    with losing_answers_to(console, b"/rollback ") as way:
        ran = headway(console, "rollback", "--environment", "dev", HEADWAY_SERVER=way)
    assert ran.returncode == 0, ran.stderr
    assert console.status()["release"]["version"] == version + 1
