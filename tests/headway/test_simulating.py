"""A console that simulates dies in the middle of it: it is done all the same; and what is cancelled stops."""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.console import ENVIRONMENT, Console, Process, set_up, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 180
"""Seconds: only against hanging, also where many others start processes."""
AWHILE, ENDLESS = 3_000, 10_000_000
"""Requests: half a second of simulation, which a child that is still starting has before it; and more than
any test waits for."""
SILENT = "UPDATE simulations_run SET lease_until = '2000-01-01 00:00:00+00:00' WHERE state = 'running'"
"""What the fifteen seconds do that a killed worker's lease still has (their length is tests/simulations')."""


eventually = functools.partial(until, guard=PATIENCE)


def children_of(process: Process) -> list[int]:
    """Process ids of the simulations that ``process`` runs."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == process.child.pid and b"simulations.child" in command:
            found.append(int(entry.name))
    return found


def gone(pid: int) -> bool:
    """Ended; perhaps not yet taken notice of by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def begin(console: Console, requests: int) -> str:
    """Upload traffic and have it simulated; where the simulation is."""
    client = {"tenant": "acme", "sessions_per_second": 2, "output_tokens": 20}
    sent = console.api.post(
        f"{ENVIRONMENT}/traces?name={requests}.json",
        content=json.dumps({"requests": requests, "clients": [client]}),
        headers={"content-type": "application/json"},
    )
    assert sent.is_success, sent.text
    made = console.post(f"{ENVIRONMENT}/simulations", policy={"source": "released"}, trace=sent.json()["id"])
    return f"{ENVIRONMENT}/simulations/{made['id']}"


def wait_running(console: Console, place: str) -> None:
    eventually(lambda: console.get(place)["runs"][0]["arrived"] > 0, "progress")


def wait_done(console: Console, place: str, requests: int) -> None:
    eventually(lambda: console.get(place)["state"] not in ("queued", "running"), "the end")
    told = console.get(place)
    assert (told["state"], told["error_detail"]) == ("done", "")
    assert told["result"]["requests"] == requests


def cancel(console: Console, place: str) -> None:
    assert console.post(f"{place}/cancel")["state"] == "cancelled"
    refused = console.api.post(f"{place}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "simulation_ended")


def test_embedded_a_killed_console_s_simulation_is_done_by_the_next(tmp_path):
    environment, token = set_up(tmp_path, "http://127.0.0.1:9")
    console = Console(tmp_path, environment, token)
    try:
        console.start()
        place = begin(console, AWHILE)
        child = eventually(lambda: children_of(console), "a child")[0]
        console.kill()
        eventually(lambda: gone(child), "the child's end")
        with contextlib.closing(sqlite3.connect(tmp_path / "var" / "headway.sqlite3")) as database, database:
            assert database.execute(SILENT).rowcount == 1
        console.start()
        wait_done(console, place, AWHILE)
        place = begin(console, ENDLESS)
        wait_running(console, place)
        [child] = children_of(console)
        cancel(console, place)
        eventually(lambda: gone(child), "the cancelled child's end")
        place = begin(console, ENDLESS)
        child = eventually(lambda: children_of(console), "a child")[0]
        console.stop()  # an orderly stop waits for no simulation, and leaves no process
        eventually(lambda: gone(child), "the child's end")
    finally:
        console.stop()
