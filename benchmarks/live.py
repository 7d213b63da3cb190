"""How soon is what happened on a screen, and what do many screens cost?

    python -m benchmarks live [--sockets 500] [--seconds 20]

meter     one gateway's cost: counting a request, counting a read of a stream, a batch a second
hub       a second closed and shown, in the hub's own process, without sockets
event     a request's end at the gateway to the frame that tells of it, at a program's socket, over the demo
sockets   processor time of the web process with and without that many sockets at 1 Hz, in one go
page      long tasks and heap of the live page in Chromium, where one is installed
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.machine import banner
from benchmarks.processes import TICKS, DidNotStart, running
from coordination.sketch import Sketch
from coordination.wire.telemetry import encode
from gateway.telemetry.meter import Meter

READY_S = 240.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
Facts = dict[str, Any]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sockets", type=int, default=500)
    arguments.add_argument("--seconds", type=int, default=20)
    arguments.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.inside:
        meter()
        hub()
        return
    print(banner(), end="\n\n", flush=True)
    # In a process of its own: what Django is told there must not reach the demo.
    subprocess.run([sys.executable, "-m", "benchmarks.live", "--inside"], check=True)
    with demo() as (facts, var):
        asyncio.run(events(facts, asked.seconds))
        asyncio.run(sockets(facts, var, asked.sockets, asked.seconds))
        page(facts, asked.seconds)


# -- in this process ----------------------------------------------------------------------------------


def each(times: int, work: Any) -> float:
    """Microseconds a call, the median of seven rounds."""
    rounds = []
    for _ in range(7):
        began = time.perf_counter_ns()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter_ns() - began) / times / 1000)
    return statistics.median(rounds)


def meter() -> None:
    sketch, cells = Sketch(), Meter()
    cell = cells.cell("acme", "priority", "llama-3-8b", "chat", "http://a:1")
    print(f"meter     sketch add {each(100_000, lambda: sketch.add(12_345)):.2f} us")
    print(f"          a read of a stream {each(100_000, lambda: cell.passed(1, 12_345)):.2f} us")

    def second() -> None:
        for number in range(400):
            at = cells.cell(f"tenant-{number % 50}", "priority", "m", "chat", f"http://r{number % 8}:1")
            at.requests += 1
            at.ttft.add(100_000 + number)
        cells.take()

    print(f"          400 keys taken and encoded as sketches {each(20, second) / 1000:.2f} ms a second")


def hub() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.test")
    import django

    django.setup()
    from telemetry.live.recent import Recent
    from tests.telemetry.batches import T0, batch, series

    recent = Recent(T0 - 1)
    told = [
        series(f"tenant-{tenant}", tier, replica=f"http://r{replica}:1")
        for tenant in range(10)
        for tier in ("priority", "standard", "flex")
        for replica in range(4)
    ]
    size = len(encode(batch(1, *told)))
    spent = []
    for number in range(40):
        began = time.perf_counter()
        for gateway in range(3):
            recent.add(f"gw-{gateway}", T0 + number, batch(number, *told))
        recent.close(T0 + number)
        spent.append(time.perf_counter() - began)
    print(
        f"hub       3 gateways x {len(told)} keys ({size / 1000:.0f} kB a batch): "
        f"{1000 * statistics.median(spent):.1f} ms a second, batches made included"
    )


# -- over the demo ------------------------------------------------------------------------------------


@contextmanager
def demo() -> Iterator[tuple[Facts, Path]]:
    """``headway up`` on free ports."""
    with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder:
        var = Path(folder) / "var"
        ports = ("--port", "0", "--gateway-port", "0", "--admin-port", "0", "--fleet-port", "0")
        command = [str(Path(sys.executable).parent / "headway"), "up", "--var", str(var), *ports]
        log = Path(folder) / "up.log"
        with running(command, log=log) as process:
            deadline = time.monotonic() + READY_S
            while "Ctrl-C stops it" not in log.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DidNotStart(log.read_text())
                time.sleep(0.2)
            yield json.loads((var / "demo.json").read_text()), var


def signed_in(facts: Facts) -> httpx.Client:
    client = httpx.Client(base_url=facts["console_url"], trust_env=False, follow_redirects=True, timeout=30)
    form = client.get("/sign-in/").text
    token = form.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    who = facts["operator"]
    client.post(
        "/sign-in/",
        data={"csrfmiddlewaretoken": token, "username": who["username"], "password": who["password"]},
        headers={"referer": facts["console_url"]},
    )
    return client


async def listener(facts: Facts, cookie: str, tables: tuple[str, ...]) -> ClientConnection:
    """A browser's socket: with a session and our own Origin."""
    address = facts["console_url"].replace("http", "ws") + "/ws/live"
    socket = await connect(
        address,
        subprotocols=["headway.live.v1"],  # type: ignore[list-item] # a NewType of str
        origin=facts["console_url"],
        additional_headers={"cookie": cookie},
        compression=None,
        open_timeout=60,
        ping_interval=None,
    )
    await socket.send(json.dumps({"op": "hello", "v": 1}))
    for number, table in enumerate(tables, 1):
        await socket.send(json.dumps({"op": "sub", "id": number, "ch": table}))
    return socket


def cookie_of(client: httpx.Client) -> str:
    return f"headway_session={client.cookies['headway_session']}"


class Held:
    """What a subscription to one table holds, kept by its frames."""

    def __init__(self) -> None:
        self.rows: dict[str, list[float | None]] = {}
        self._metrics: list[str] = []

    def apply(self, frame: dict[str, Any]) -> None:
        if frame["t"] == "snap":
            self._metrics = frame["m"]
            self.rows = dict(zip(frame["k"], map(list, frame["v"]), strict=True))
        elif frame["t"] == "rows":
            for gone in frame["del"]:
                del self.rows[gone]
            self.rows |= {name: list(row) for name, row in frame["add"]}
        elif frame["t"] == "d":
            keys, width = list(self.rows), len(self._metrics)
            for at, value in zip(frame["c"][::2], frame["c"][1::2], strict=True):
                self.rows[keys[at // width]][at % width] = value

    def value(self, key: str, metric: str) -> float:
        row = self.rows.get(key)
        return 0.0 if row is None else row[self._metrics.index(metric)] or 0.0


async def events(facts: Facts, seconds: int) -> None:
    """A request for no model is refused at once; how long until a frame says that its tenant was refused?

    Of tenants that were refused nothing for ten seconds, at every phase of the second.
    """
    client = signed_in(facts)
    socket = await listener(facts, cookie_of(client), ("fleet.tenants",))
    keys = {
        tenant["name"]: tenant["api_key"]
        for tenant in facts["tenants"]
        if tenant["name"] in ("acme", "globex", "umbrella")
    }
    held, ended = Held(), dict.fromkeys(keys, 0.0)
    lags: list[float] = []
    deadline = time.monotonic() + 6 * seconds
    async with httpx.AsyncClient(base_url=facts["gateway_url"], trust_env=False, timeout=30) as gateway:
        while time.monotonic() < deadline and len(lags) < 2 * seconds:
            frame = json.loads(await socket.recv())
            now = time.monotonic()
            if "q" not in frame:
                continue
            held.apply(frame)
            await socket.send(json.dumps({"op": "ack", "s": {"1": frame["q"]}}))
            for tenant, key in keys.items():
                refused = held.value(tenant, "refused") > 0
                if refused and ended[tenant]:
                    lags.append(now - ended[tenant])
                    ended[tenant] = 0.0
                elif not refused and not ended[tenant] and frame["t"] == "d":
                    await asyncio.sleep(0.09 * (len(lags) % 10))
                    await gateway.post(
                        "/v1/chat/completions",
                        headers={"authorization": f"Bearer {key}"},
                        json={"model": "no-such", "messages": [{"role": "user", "content": "x"}]},
                    )
                    ended[tenant] = time.monotonic()
    await socket.close()
    lags.sort()
    print(
        f"event     n={len(lags)}  p50 {statistics.median(lags):.2f} s  "
        f"p95 {lags[int(0.95 * (len(lags) - 1))]:.2f} s  most {lags[-1]:.2f} s   (promised: p95 under 2 s)"
    )


def spent(pid: int) -> float:
    """Seconds of processor time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def sockets(facts: Facts, var: Path, count: int, seconds: int) -> None:
    """The difference many sockets make to the web process, each with one table at 1 Hz and its acks."""
    rows = json.loads((var / "processes.json").read_text())["processes"]
    web = next(row["pid"] for row in rows if row["name"] == "web")

    async def share() -> float:
        before, began = spent(web), time.monotonic()
        await asyncio.sleep(seconds)
        return (spent(web) - before) / (time.monotonic() - began)

    alone = await share()
    frames = 0

    async def listen(socket: ClientConnection) -> None:
        nonlocal frames
        async for text in socket:
            frame = json.loads(text)
            if "q" in frame:
                frames += 1
                await socket.send(json.dumps({"op": "ack", "s": {str(frame["id"]): frame["q"]}}))

    # Eight sockets are one person's most, so there are as many accounts as it takes.
    cookies = accounts(var, -(-count // 8))
    opened = [await listener(facts, cookies[number // 8], ("fleet.tiers",)) for number in range(count)]
    listening = [asyncio.create_task(listen(socket)) for socket in opened]
    await asyncio.sleep(3)
    frames = 0
    began = time.monotonic()
    together = await share()
    rate = frames / (time.monotonic() - began)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for socket in opened:
        await socket.close()
    print(
        f"sockets   {count} at 1 Hz: {100 * (together - alone):.1f} % of a core more "
        f"({100 * alone:.1f} % without, {100 * together:.1f} % with), {rate:.0f} frames/s   (promised: 5 %)"
    )


SESSIONS = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")
import django
django.setup()
from django.test import Client
from tenancy.models import Membership, Role, User
for number in range(int(sys.argv[1])):
    user, _ = User.objects.get_or_create(username=f"bench-{number}")
    Membership.objects.get_or_create(user=user, role=Role.VIEWER, tenant="")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    print("headway_session=" + client.cookies["headway_session"].value)
"""


def accounts(var: Path, count: int) -> list[str]:
    """Cookies of that many signed-in viewers."""
    environment = {**os.environ, "HEADWAY_VAR": str(var), "DJANGO_SETTINGS_MODULE": "headway.settings.base"}
    told = subprocess.run(
        [sys.executable, "-c", SESSIONS, str(count)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in told.stdout.splitlines() if line.startswith("headway_session=")]


def page(facts: Facts, seconds: int) -> None:
    """The live page as it is, no throttle: long tasks while figures come in, and the heap's growth."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("page      no Chromium on PATH")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        opened = browser.new_context(base_url=facts["console_url"]).new_page()
        opened.goto("/")
        opened.get_by_label("User name").fill(facts["operator"]["username"])
        opened.get_by_label("Password").fill(facts["operator"]["password"])
        opened.get_by_role("button", name="Sign in").click()
        opened.goto("/live/")
        opened.wait_for_timeout(5_000)
        opened.evaluate(
            """() => {
              window.longTasks = [];
              new PerformanceObserver((seen) => {
                for (const entry of seen.getEntries()) window.longTasks.push(Math.round(entry.duration));
              }).observe({ type: "longtask" });
            }"""
        )
        heap = "performance.memory.usedJSHeapSize"
        before = opened.evaluate(heap)
        opened.wait_for_timeout(1000 * seconds)
        long = opened.evaluate("window.longTasks")
        grown = (opened.evaluate(heap) - before) / 1e6
        nodes = opened.evaluate("document.getElementsByTagName('*').length")
        browser.close()
    print(f"page      {seconds} s: tasks over 50 ms {long or 'none'}, heap {grown:+.1f} MB, {nodes} elements")


if __name__ == "__main__":
    main()
