"""``headway up`` for real: one command, and an answered request; one signal, and nothing is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.running import STARTS_WITHIN, Run

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path) -> Iterator[Any]:
    runs: list[Run] = []

    def starting(*arguments: str, var: str = "var") -> Run:
        runs.append(Run(tmp_path / var, *arguments))
        return runs[-1]

    yield starting
    for run in runs:
        kill(run)


def kill(run: Run) -> None:
    if run.process.poll() is None:
        run.process.kill()
        run.process.wait()


@pytest.fixture(scope="module")
def without_demo(tmp_path_factory) -> Iterator[Run]:
    run = Run(tmp_path_factory.mktemp("plain") / "var", "--no-demo")
    try:
        run.wait_started()
        yield run
        assert run.end() == 0
    finally:
        kill(run)


def alive(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]


def ask(facts: dict[str, Any], tenant: int = 0) -> httpx.Response:
    return httpx.post(
        f"{facts['gateway_url']}/v1/chat/completions",
        headers={"Authorization": f"Bearer {facts['tenants'][tenant]['api_key']}"},
        json={"model": "llama-3-8b", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]},
        timeout=30,
    )


def test_one_command_then_a_request_a_sign_in_and_a_clean_end(start):
    run = start()
    run.wait_started()
    facts, pids = run.facts(), run.pids()
    assert list(pids) == ["simfleet", "web", "gateway", "demo"]
    assert [tenant["name"] for tenant in facts["tenants"]] == ["acme", "globex", "initech", "umbrella"]

    answer = ask(facts)
    assert (answer.status_code, answer.json()["object"]) == (200, "chat.completion")
    assert answer.headers["x-headway-tier-served"]

    with httpx.Client(base_url=facts["console_url"], follow_redirects=True, timeout=30) as browser:
        page = browser.get("/")
        token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        home = browser.post(
            "/sign-in/", data={**facts["operator"], "csrfmiddlewaretoken": token, "next": "/"}
        )
        assert home.url.path == "/e/dev/"
        assert "8 of 8 replicas answer" in browser.get("/status/").text

    # A killed gateway comes back, under the same address and policy.
    os.kill(pids["gateway"], signal.SIGKILL)
    run.wait_until(lambda: run.pids()["gateway"] not in (None, pids["gateway"]), "another gateway")
    run.wait_until(lambda: _answers(facts), "an answer of the new gateway")

    last = run.pids()
    assert run.end(signal.SIGINT) == 0
    assert alive(last) == []
    assert not (run.var / "demo.json").exists()
    assert not (run.var / "processes.json").exists()


def _answers(facts: dict[str, Any]) -> bool:
    try:
        return ask(facts).status_code == 200
    except httpx.TransportError:
        return False


def test_after_a_killed_run_the_next_start_heals_what_was_left(start):
    run = start()
    run.wait_started()
    pids = run.pids()
    run.process.kill()
    run.process.wait()
    assert (run.var / "demo.json").exists()
    again = start()
    again.wait_until(lambda: "an earlier run was killed" in again.said, "the healing")
    again.wait_until(lambda: again.said.count("Ctrl-C stops it") == 2, "the second summary")
    assert alive(pids) == []
    assert ask(again.facts()).status_code == 200
    assert again.end() == 0


def test_without_the_demo_there_is_a_console_a_gateway_and_advice(without_demo):
    assert list(without_demo.pids()) == ["web", "gateway"]
    assert "createsuperuser" in without_demo.said
    assert not (without_demo.var / "demo.json").exists()


def test_a_second_run_on_the_same_state_is_refused(without_demo):
    second = Run(without_demo.var, "--no-demo")
    try:
        assert second.process.wait(STARTS_WITHIN) == 1
    finally:
        kill(second)
    assert "already runs with the state folder" in second.said
    assert without_demo.process.poll() is None


def test_a_signal_while_it_starts_leaves_nothing(start):
    run = start()
    run.wait_until(lambda: (run.var / "processes.json").exists(), "the first process")
    pids = run.pids()
    assert run.end() == 0
    assert alive(pids) == []
    assert not (run.var / "demo.json").exists()


@pytest.mark.parametrize("option", ["--port", "--gateway-port", "--admin-port", "--fleet-port"])
def test_a_taken_port_is_named_and_nothing_starts(start, option):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = start(option, str(port))
        assert run.process.wait(STARTS_WITHIN) == 1
        assert f"Port {port} " in run.said
        assert f"{option} N" in run.said
        assert not (run.var / "processes.json").exists()
