"""Every token, from the engine's own book to the tenant's bill: through leavers, failures and real kills.

Five hundred requests at a real gateway over a simulated fleet. In the middle the gateway is killed, then
the console; what the ledger says at the end is held against what each engine booked.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from benchmarks.crowd import Crowd
from benchmarks.reconcile import fleet_book, reconcile
from tests.support.console import Process, followed_over, until
from tests.support.policies import ROOT
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REQUESTS = 500
AT_ONCE = 12
PRICES = """\
spec:
  currency: USD
  entries:
    - model: llama-3-8b
      from: 2026-01-01T00:00:00Z
      uncached_input: 0.20 USD/1M tokens
      cached_input: 0.02 USD/1M tokens
      output: 0.60 USD/1M tokens
  tier_multipliers: {priority: 1.75}"""


@contextmanager
def two_engines(folder):
    """Their URLs. A process of their own: it lives through every kill."""
    ready = folder / "ready"
    process = Process("fleet", folder, {})
    process.spawn(
        *("headway", "simfleet", "--port", "0", "--replicas", "2", "--speed", "20"),
        "--ready-file",
        str(ready),
    )
    until(ready.exists, "the fleet")
    try:
        yield [replica["url"] for replica in json.loads(ready.read_text())["replicas"]]
    finally:
        process.stop()


def metrics(gateway):
    return gateway.client.get(f"http://127.0.0.1:{gateway.admin_port}/metrics").text


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def aftermath(request, tmp_path_factory):
    """What is left when it is over: the console, the gateway, the fleet's book and the ledger's lines."""
    folder = tmp_path_factory.mktemp("reconciled")
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database()) if request.param == "postgres" else ""
        fleet = stack.enter_context(two_engines(folder))
        console, gateway = stack.enter_context(followed_over(folder, *fleet, database=database))
        version = console.status()["release"]["version"]
        console.save("PriceBook", "list", PRICES)
        console.wait_in_step(version=version + 1)
        secret = console.create_key()["secret"]
        until(lambda: gateway.chat(secret).status_code == 200, "the key's first answer")
        crowd = Crowd(gateway.port, secret, requests=REQUESTS, at_once=AT_ONCE)

        def fault(*replicas, **what):
            for url in replicas or fleet[:1]:
                assert httpx.post(f"{url}/admin/faults", json=what, trust_env=False).status_code < 300

        def kill_gateway():
            gateway.kill()
            gateway.start()

        def kill_in_the_middle():
            until(lambda: "headway_in_flight 0" not in metrics(gateway), "requests in progress")
            kill_gateway()
            fault(*fleet, kind="none")

        steps = {
            60: lambda: fault(kind="error", status=500, count=5),
            90: lambda: fault(kind="error", status=503, count=5),  # tried elsewhere: a failed attempt each
            118: lambda: fault(*fleet, kind="slow", factor=100),
            122: kill_in_the_middle,
            200: lambda: fault(kind="die", after_chunks=2),
            230: lambda: fault(fleet[1], kind="none", replica=0),
            300: console.kill,
            380: kill_gateway,  # and no console to come back to
            430: console.start,
        }
        asyncio.run(crowd.run(steps))
        until(lambda: gateway.ready()["ledger"]["unsent"] == 0, "everything acknowledged")
        page = console.get("/api/v1/usage/events?limit=300")
        lines = list(page["items"])
        while page["next"]:
            page = console.get(f"/api/v1/usage/events?limit=300&cursor={page['next']}")
            lines += page["items"]
        yield console, gateway, crowd, fleet_book(fleet), lines


def test_the_day_was_as_bad_as_it_was_meant_to_be(aftermath):
    _, _, crowd, _, lines = aftermath
    assert crowd.begun == REQUESTS
    assert crowd.answers[200] > REQUESTS // 2
    assert crowd.answers["left"] > 0
    kinds = Counter(line["kind"] for line in lines)
    assert kinds["interrupted"] > 0
    assert kinds["failed"] > 0
    outcomes = Counter(line["outcome"] for line in lines)
    assert outcomes["aborted"] + outcomes["interrupted"] > 0  # who leaves may do so as the answer ends


def test_the_ledger_is_exact_for_every_settled_attempt(aftermath):
    _, _, crowd, booked, lines = aftermath
    found = reconcile(booked, lines)
    assert found.problems == []
    assert found.exact >= crowd.answers[200]
    assert found.interrupted == sum(line["kind"] == "interrupted" for line in lines)


def test_every_answer_a_client_got_whole_is_settled(aftermath):
    _, _, crowd, _, lines = aftermath
    completed = {line["request_id"] for line in lines if line["outcome"] == "completed"}
    assert len(completed) >= crowd.answers[200]


def test_totals_are_the_sum_of_the_lines_and_gateway_and_ledger_price_alike(aftermath):
    console, _, _, _, lines = aftermath
    rows = console.get("/api/v1/usage?step=all&by=tenant")["items"]
    for name in ("uncached_input", "cached_input", "output", "cost_nano", "saved_nano"):
        assert sum(row[name] for row in rows) == sum(line[name] for line in lines), name
    settled = [line for line in lines if line["kind"] == "settled" and line["outcome"] == "completed"]
    assert [line for line in settled if line["spend_nano"] != line["cost_nano"]] == []
    assert sum(line["cost_nano"] for line in lines) > 0


def test_the_ledger_verifies_itself(aftermath):
    console, _, _, _, lines = aftermath
    done = subprocess.run(
        [sys.executable, "-m", "headway", "ledger", "verify"],
        cwd=ROOT,
        env=console.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(lines)} events" in done.stdout
    assert " 0 quarantined" in done.stdout
