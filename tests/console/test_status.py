"""The status page says what runs, what does not, and what nobody knows; and the console its own health."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from console import selectors
from console.templatetags.humane import duration, known, milliseconds
from tenancy.models import Membership, Role, User


def replica(name: str, **differs: Any) -> dict[str, Any]:
    usual = {"pool": "chat-a", "replica": name, "reachable": True, "age_ms": 400}
    return {**usual, "running": 3, "waiting": 0, "kv_used_ppm": 125_000, "scrapes_failed": 0, **differs}


def readiness(*replicas: dict[str, Any], **differs: Any) -> dict[str, Any]:
    usual = {"ready": True, "bundle": "sha256:abc", "environment": "dev", "directory_serial": 7}
    return {**usual, "pointer": None, "stale": False, "refused": None, "replicas": list(replicas), **differs}


@pytest.fixture
def gateway(settings, tmp_path):
    """An admin port that answers what the test puts in ``answer`` (bytes or JSON)."""

    class Admin(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = server.answer if isinstance(server.answer, bytes) else json.dumps(server.answer).encode()
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        answer: Any = readiness(replica("http://127.0.0.1:8101"))

    server = Server(("127.0.0.1", 0), Admin)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.HEADWAY_GATEWAY_ADMIN_URL = f"http://127.0.0.1:{server.server_port}"
    settings.HEADWAY_PROCESSES = tmp_path / "processes.json"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def overview(settings) -> selectors.Overview:
    return selectors.overview(
        admin_url=settings.HEADWAY_GATEWAY_ADMIN_URL, processes_file=settings.HEADWAY_PROCESSES
    )


DEAD = {"reachable": False, "age_ms": None, "running": None, "waiting": None, "kv_used_ppm": None}
NEVER = {**DEAD, "reachable": None}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (readiness(replica("a"), replica("b")), "ok"),
        (readiness(), "ok"),
        (readiness(replica("a"), replica("b", **DEAD)), "warn"),
        (readiness(replica("a"), replica("b", **NEVER)), "warn"),
        (readiness(replica("a", **DEAD), replica("b", **DEAD)), "bad"),
        (readiness(replica("a"), stale=True), "warn"),
        (readiness(replica("a"), refused={"code": "digest_mismatch", "message": "not that one"}), "warn"),
        (readiness(replica("a"), ready=False), "bad"),
        (b"<html>", "bad"),
        ({"ready": True}, "bad"),
    ],
)
def test_the_verdict_follows_from_what_the_gateway_says(gateway, settings, answer, verdict):
    gateway.answer = answer
    assert overview(settings).verdict == verdict


def test_a_gateway_that_is_gone_is_a_finding_not_a_failure(settings, tmp_path):
    seen = selectors.overview(admin_url="http://127.0.0.1:9", processes_file=tmp_path / "none")
    assert (seen.gateway, seen.verdict) == (None, "bad")
    assert "no connection to http://127.0.0.1:9" in str(seen.problem)


def test_an_ended_process_asks_for_a_look(gateway, settings):
    row = {"name": "demo", "what": "demo workload", "address": "", "pid": None, "running": False}
    settings.HEADWAY_PROCESSES.write_text(
        json.dumps({"processes": [{**row, "since": None, "restarts": 2, "last_exit": -9}]})
    )
    assert overview(settings).verdict == "warn"


@pytest.mark.parametrize(
    ("differs", "state"),
    [({}, "ok"), ({"age_ms": 3_001}, "warn"), (DEAD, "bad"), (NEVER, "unknown")],
)
def test_a_replica_s_state_is_in_words_and_shape(gateway, settings, differs, state):
    gateway.answer = readiness(replica("a", **differs))
    assert overview(settings).pools[0].replicas[0].state == state


@pytest.fixture
def operator(client, db):
    user = User.objects.create_user("ada")
    Membership.objects.create(user=user, role=Role.OPERATOR)
    client.force_login(user)
    return user


def test_the_page_names_each_replica_and_the_bundle(client, operator, gateway):
    gateway.answer = readiness(replica("http://replica-one"), replica("http://replica-two", **NEVER))
    page = client.get("/status/").content.decode()
    for fact in ("Everything runs", "http://replica-one", "sha256:abc", "12.5 %", "Not asked yet", "400 ms"):
        if fact != "Everything runs":
            assert fact in page
    assert "1 of 2 replicas answer" in page


def test_htmx_gets_only_the_part_that_changes(client, operator, gateway):
    part = client.get("/status/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "1 of 1 replicas answer" in part


def test_what_a_gateway_says_is_text_on_the_page_never_markup(client, operator, gateway):
    gateway.answer = readiness(replica("<script>alert(1)</script>"))
    assert "<script>alert(1)" not in client.get("/status/").content.decode()


def test_no_page_has_inline_script_or_style_and_the_policy_forbids_both(client, operator, gateway):
    for path in ("/status/", "/nowhere/"):
        answer = client.get(path)
        page = answer.content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert " onclick=" not in page
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer["X-Frame-Options"] == "DENY"


def test_a_tenant_s_people_are_led_to_the_portal_and_not_shown_the_platform(client, db):
    user = User.objects.create_user("bo")
    Membership.objects.create(user=user, role=Role.TENANT_ADMIN, tenant="acme")
    client.force_login(user)
    assert client.get("/")["Location"] == "/portal/"
    assert client.get("/status/").status_code == 403


def test_an_account_without_a_role_is_told_so(client, db):
    client.force_login(User.objects.create_user("cy"))
    assert "no role yet" in client.get("/", follow=True).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_sign_in(client, path):
    assert (client.get(path).status_code, client.get(path).content) == (200, b"ok\n")


@pytest.mark.django_db
def test_not_ready_without_the_database(client, monkeypatch):
    from django.db import OperationalError, connection

    def fails():
        raise OperationalError

    monkeypatch.setattr(connection, "cursor", fails)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "css/tokens.css",
        "css/base.css",
        "css/components.css",
        "js/theme.js",
        "js/live.js",
        "django_htmx/htmx-2.min.js",
    ],
)
def test_each_file_a_page_asks_for_is_served(client, path):
    assert client.get(f"/static/{path}").status_code == 200


def test_the_settings_for_a_public_console_pass_django_s_own_audit():
    import os
    import subprocess
    import sys
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    deployed = {
        "HEADWAY_HTTPS": "1",
        "HEADWAY_HOSTS": "headway.example",
        "HEADWAY_SECRET_KEY": "x7" * 40 + "q!-_",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=root,
        env={**os.environ, **deployed, "DJANGO_SETTINGS_MODULE": "headway.settings.base"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7_500, "2 h 5 min"),
        (349_200, "4 d 1 h"),
    ],
)
def test_durations_read_in_their_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_unknown_is_a_dash_and_zero_is_zero():
    assert (known(None), known(0), milliseconds(None), milliseconds(0)) == ("–", 0, "–", "0 ms")
    assert milliseconds(1_250) == "1.2 s"
