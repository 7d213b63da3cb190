"""How soon does a change reach the gateway, and what do gateways that ask for news cost the console?

A whole `headway up` on free ports: an operator saves over REST, and what counts is when the console has
the gateway's acknowledgement, or the gateway itself treats a request differently. The pointer's endpoint
stands beside the same thing written as a Django view, each on one core, both loaded from another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvloop

from benchmarks.load import measure
from benchmarks.machine import ROOT, banner, two_cores
from benchmarks.processes import last_words, running, wait_for_file
from subscriber import identity

PATIENCE_S = 60.0
POLLS = 300
CONNECTIONS = 32
DEV = "/api/v1/environments/dev"


@dataclass(frozen=True, slots=True)
class Stack:
    """`headway up` as a measurement meets it."""

    console: httpx.Client
    gateway_url: str
    admin_url: str
    web_pid: int
    me: identity.Identity

    def pointer_request(self, etag: str, *, wait: int = 0) -> bytes:
        prefer = f"prefer: wait={wait}\r\n" if wait else ""
        return (
            f"GET /api/v1/pointers/dev/{self.me.ring} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"authorization: Bearer {self.me.credential}\r\n{prefer}if-none-match: {etag}\r\n\r\n"
        ).encode()

    def etag(self) -> str:
        answer = self.console.get(
            f"/api/v1/pointers/dev/{self.me.ring}",
            headers={"authorization": f"Bearer {self.me.credential}"},
        )
        return answer.raise_for_status().headers["etag"]


@contextmanager
def stack(folder: Path, database: str) -> Iterator[Stack]:
    """`headway up --no-demo`, the quickstart applied over REST, one gateway in step."""
    var, log = folder / "var", folder / "up.log"
    port, gateway, admin = (_free_port() for _ in range(3))
    given = {"HEADWAY_VAR": str(var), **({"DATABASE_URL": database} if database else {})}
    command = [sys.executable, "-m", "headway", "up", "--no-demo", "--var", str(var)]
    command += ["--port", str(port), "--gateway-port", str(gateway), "--admin-port", str(admin)]
    with running(command, log=log, environment=given) as process:
        console = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False)
        _until(lambda: "Ctrl-C stops it" in log.read_text(), lambda: last_words(log))
        token = subprocess.run(
            [sys.executable, "-m", "benchmarks.console_side", "token"],
            cwd=ROOT,
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        console.headers["authorization"] = f"Bearer {token}"
        files = [
            {"name": path.name, "text": path.read_text()}
            for path in sorted((ROOT / "examples" / "quickstart").glob("*.yaml"))
        ]
        planned = console.post(f"{DEV}/plan", json={"files": files}).raise_for_status().json()
        order = {"files": files, "plan_digest": planned["plan_digest"]}
        console.post(f"{DEV}/apply", json=order).raise_for_status()
        rows = json.loads((var / "processes.json").read_text())["processes"]
        (web,) = (row["pid"] for row in rows if row["name"] == "web")
        ready = Stack(
            console,
            f"http://127.0.0.1:{gateway}",
            f"http://127.0.0.1:{admin}",
            web,
            identity.load(var / "gateway"),
        )
        _until(lambda: _acknowledged(ready, 1), lambda: last_words(log))
        assert process.poll() is None
        yield ready


def _status(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.console.get(f"{DEV}/status").raise_for_status().json()
    return found


def _acknowledged(stack: Stack, version: int) -> bool:
    told = _status(stack)
    return bool(told["release"] and told["release"]["version"] >= version and told["in_step"])


def saves(stack: Stack, rounds: int) -> list[float]:
    """Seconds from sending a save to finding every gateway's acknowledgement of it."""
    took = []
    path = f"{DEV}/documents/Quota/initech"
    for number in range(rounds):
        held = stack.console.get(path)
        body = held.json()
        body["spec"]["concurrency"] = 100 + number
        version = _status(stack)["release"]["version"]
        began = time.perf_counter()
        headers = {"if-match": held.headers["etag"]}
        stack.console.put(path, json=body, headers=headers).raise_for_status()
        _until(partial(_acknowledged, stack, version + 1))
        took.append(time.perf_counter() - began)
    return took


def keys(stack: Stack, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds until the gateway takes a new key, and until it refuses a revoked one."""
    made, revoked = [], []
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:

        def is_taken(secret: str) -> bool:
            body = {"model": "nothing-of-this-name", "messages": [{"role": "user", "content": "?"}]}
            answer = client.post(
                f"{stack.gateway_url}/v1/chat/completions",
                headers={"authorization": f"Bearer {secret}"},
                json=body,
            )
            return answer.status_code != 401

        def is_refused(secret: str) -> bool:
            return not is_taken(secret)

        for _ in range(rounds):
            began = time.perf_counter()
            order = {"tenant": "initech", "name": "bench"}
            key = stack.console.post(f"{DEV}/keys", json=order).raise_for_status().json()
            _until(partial(is_taken, key["secret"]))
            made.append(time.perf_counter() - began)
            began = time.perf_counter()
            stack.console.delete(f"{DEV}/keys/{key['key_id']}").raise_for_status()
            _until(partial(is_refused, key["secret"]))
            revoked.append(time.perf_counter() - began)
    return made, revoked


def shares(stack: Stack, rounds: int) -> list[float]:
    """Seconds until the gateway runs with the directory in which a team's share was moved."""
    took = []
    for address, rest in (
        ("Tenant/initech/lab", "spec: {tiers: [standard]}"),
        ("Quota/initech-delegates", "spec: {tenant: initech, delegation: {weight: true}}"),
    ):
        kind, _, name = address.partition("/")
        text = f"apiVersion: headway/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{rest}\n"
        headers = {"If-None-Match": "*", "content-type": "application/yaml"}
        stack.console.put(f"{DEV}/documents/{address}", content=text, headers=headers).raise_for_status()
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:

        def serial() -> int:
            return int(client.get(f"{stack.admin_url}/readyz").json()["directory_serial"])

        def is_beyond(known: int) -> bool:
            return serial() > known

        for number in range(rounds):
            before, began = serial(), time.perf_counter()
            asked = {"weight_ppm": 1_000_000 + number}
            stack.console.put(f"{DEV}/shares/initech/lab", json=asked).raise_for_status()
            _until(partial(is_beyond, before))
            took.append(time.perf_counter() - began)
    return took


def not_modified(host_port: int, request: bytes, seconds: float) -> float:
    """Answers a second to those who hold the newest pointer already."""
    taken = uvloop.run(
        measure(
            "127.0.0.1",
            host_port,
            [request],
            connections=CONNECTIONS,
            seconds=seconds,
            status=304,
        )
    )
    return taken.per_second


async def long_polls(port: int, request: bytes, pid: int) -> tuple[int, int]:
    """Threads of the process before, and with ``POLLS`` requests that wait."""
    before = _threads(pid)
    opened = []
    for _ in range(POLLS):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        opened.append(writer)
    await asyncio.sleep(3.0)
    during = _threads(pid)
    for writer in opened:
        writer.transport.abort()
    return before, during


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _pin(pid: int, cores: set[int]) -> None:
    """Every thread the process has; those it starts later take their starter's core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def endpoint(stack: Stack, folder: Path, seconds: float, database: str) -> None:
    """Ours and Django's, one after the other, on the same core."""
    served, load = two_cores()
    os.sched_setaffinity(0, load)
    asked = stack.pointer_request(stack.etag())
    waiting = stack.pointer_request(stack.etag(), wait=50)
    ours = stack.console.base_url.port or 0
    _pin(stack.web_pid, served)
    ready, log = folder / "views.ready", folder / "views.log"
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.console_side", "views", "--port", str(port)]
    given = {"HEADWAY_VAR": str(folder / "var"), **({"DATABASE_URL": database} if database else {})}
    rate = not_modified(ours, asked, seconds)
    threads = asyncio.run(long_polls(ours, waiting, stack.web_pid))
    with running([*command, "--ready-file", str(ready)], log=log, cores=served, environment=given) as process:
        wait_for_file(ready, process, log)
        theirs = not_modified(port, asked, seconds)
        held = asyncio.run(long_polls(port, waiting, process.pid))
    print(
        f"pointer, 304        {rate:,.0f}/s on one core, wanted >= 3,000/s; as a Django view {theirs:,.0f}/s"
    )
    print(
        f"{POLLS} long polls      {threads[1] - threads[0]:+d} threads (of {threads[0]}), wanted +0; "
        f"as Django views {held[1] - held[0]:+d}"
    )


def _told(what: str, took: list[float], wanted: str) -> None:
    ordered = sorted(took)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    print(
        f"{what:<20}p50 {statistics.median(took) * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, "
        f"worst {ordered[-1] * 1e3:.0f} ms of {len(took)}, wanted {wanted}"
    )


def _until(true: Callable[[], bool], otherwise: Callable[[], str] = lambda: "") -> None:
    deadline = time.perf_counter() + PATIENCE_S
    while not true():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"it never came\n{otherwise()}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def main() -> None:
    """Prints one line for each promise."""
    options = argparse.ArgumentParser(prog="python -m benchmarks delivery")
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--database", default="", help="postgres://...: an empty database; else SQLite.")
    chosen = options.parse_args()
    print(banner())
    with tempfile.TemporaryDirectory() as name, stack(Path(name), chosen.database) as up:
        _told("save to ACK", saves(up, chosen.rounds), "p95 < 1 s")
        made, revoked = keys(up, chosen.rounds)
        _told("key made", made, "< 1 s")
        _told("key revoked", revoked, "< 1 s")
        _told("share moved", shares(up, chosen.rounds), "< 1 s")
        endpoint(up, Path(name), chosen.seconds, chosen.database)


if __name__ == "__main__":
    main()
