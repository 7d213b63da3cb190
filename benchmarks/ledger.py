"""Is every token of twenty thousand requests in the ledger, exactly, through kills? And what does that cost?

A console, a gateway that follows it, and a simulated fleet, each a process; clients that stream, leave
and fail. On the way the gateway is killed, then the console, then the gateway with no console there. At
the end the ledger is held against what each engine booked for itself. The last lines are the price of a
record on a request's path, and of an event on its way into the database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.crowd import Crowd
from benchmarks.machine import ROOT, banner
from benchmarks.reconcile import fleet_book, reconcile
from coordination.wire.usage import Event
from gateway.wal import Begun, Journal
from tests.support.console import Console, Process, followed_over, until

AT_ONCE = 32
SPEED = "50"
RECORDS = 20_000
PRICES = """\
spec:
  currency: USD
  entries:
    - model: llama-3-8b
      from: 2026-01-01T00:00:00Z
      uncached_input: 0.20 USD/1M tokens
      cached_input: 0.02 USD/1M tokens
      output: 0.60 USD/1M tokens"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="0 leaves the kills out.")
    parser.add_argument(
        "--database", default="", help="An empty PostgreSQL database to enter events into, too."
    )
    given = parser.parse_args()
    print(banner())
    with tempfile.TemporaryDirectory(prefix="headway_ledger_") as folder:
        sound = not given.requests or _exactness(Path(folder), given.requests)
        _record_price(Path(folder))
    _entering("SQLite", "")
    if given.database:
        _entering("PostgreSQL", given.database)
    raise SystemExit(0 if sound else 1)


def _exactness(folder: Path, requests: int) -> bool:
    ready = folder / "fleet.ready"
    fleet = Process("fleet", folder, {})
    fleet.spawn(
        *("headway", "simfleet", "--port", "0", "--replicas", "2", "--speed", SPEED),
        *("--ready-file", str(ready)),
    )
    try:
        until(ready.exists, "the fleet")
        urls = [replica["url"] for replica in json.loads(ready.read_text())["replicas"]]
        with followed_over(folder, *urls) as (console, gateway):
            version = console.status()["release"]["version"]
            console.save("PriceBook", "list", PRICES)
            console.wait_in_step(version=version + 1)
            secret = console.create_key()["secret"]
            until(lambda: gateway.chat(secret).status_code == 200, "the key's first answer")
            crowd = Crowd(gateway.port, secret, requests=requests, at_once=AT_ONCE)

            def kill_gateway() -> None:
                gateway.kill()
                gateway.start()

            begun = time.perf_counter()
            steps = {
                requests // 4: kill_gateway,
                requests // 2: console.kill,
                requests * 5 // 8: kill_gateway,
                requests * 3 // 4: console.start,
            }
            asyncio.run(crowd.run(steps))
            answered = time.perf_counter()
            until(lambda: gateway.ready()["ledger"]["unsent"] == 0, "everything acknowledged")
            acknowledged = time.perf_counter()
            lines = _lines(console)
            found = reconcile(fleet_book(urls), lines)
            verified = subprocess.run(
                [sys.executable, "-m", "headway", "ledger", "verify"],
                cwd=ROOT,
                env=console.environment,
                capture_output=True,
                text=True,
            )
    finally:
        fleet.stop()
    spent = answered - begun
    said = ", ".join(f"{count} {what}" for what, count in crowd.answers.most_common())
    print(f"\n{requests} requests in {spent:.1f} s ({requests / spent:.0f}/s): {said}")
    print(f"kills      gateway twice, console once; all acknowledged {acknowledged - answered:.1f} s after")
    print(f"ledger     {len(lines)} events: {found.exact} exact, {found.failed} failed and free,")
    print(f"           {found.broken_off} broken off ({found.interrupted} by a kill)")
    print(f"short      {found.short} tokens that engines produced for those and nobody is charged for")
    print(f"verify     {verified.stdout.strip().splitlines()[-1] if verified.stdout else verified.stderr}")
    print(f"problems   {len(found.problems)}")
    for problem in found.problems[:10]:
        print(f"  {problem}")
    return not found.problems and verified.returncode == 0


def _lines(console: Console) -> list[dict[str, Any]]:
    page = console.get("/api/v1/usage/events?limit=1000")
    lines = list(page["items"])
    while page["next"]:
        page = console.get(f"/api/v1/usage/events?limit=1000&cursor={page['next']}")
        lines += page["items"]
    return lines


def _record_price(folder: Path) -> None:
    """Of the three records of a streamed request, as the data path writes them."""
    journal = Journal(folder / "price")
    begun = [_begun(number) for number in range(RECORDS)]
    ended = [_ended(each) for each in begun]
    spent = 0.0
    for first in range(0, RECORDS, 500):  # tended between, as every 100 ms
        at = time.perf_counter()
        for one, end in zip(begun[first : first + 500], ended[first : first + 500], strict=True):
            journal.begin(one)
            journal.passed(one.request_id, 1, 0, one.at)
            journal.end(end)
        spent += time.perf_counter() - at
        journal.tend()
    print(f"records    {spent / RECORDS * 1e6:.1f} us a request on its path, {journal.unrecorded} unrecorded")
    journal.close()


def _entering(name: str, database: str) -> None:
    """One recorder, as a web process has it; every answer after a commit on the disk."""
    kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment = {**kept, **({"DATABASE_URL": database} if database else {})}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.entering", str(RECORDS)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(f"entering   {name}: {done.stderr.strip().splitlines()[-1]}")
        return
    told = json.loads(done.stdout.splitlines()[-1])
    rate, cpu = told["per_second"], told["cpu_us"]
    print(
        f"entering   {name}: {rate:.0f} events/s, {cpu:.0f} us of our CPU each, {told['problems']} problems"
    )


def _begun(number: int) -> Begun:
    return Begun(
        request_id=f"req_{number:026d}",
        attempt=1,
        tenant="acme/search",
        key_id="k7f3mq2xab",
        model="llama-3-8b",
        tier="priority",
        pool="chat-a",
        replica="http://127.0.0.1:8101",
        uncached_input=1000,
        cached_input=500,
        bundle="sha256:" + "0" * 64,
        at=1_795_608_000_000_000 + number,
    )


def _ended(of: Begun) -> Event:
    return Event(
        request_id=of.request_id,
        attempt=1,
        kind="settled",
        outcome="completed",
        counted_by="engine",
        tenant=of.tenant,
        key_id=of.key_id,
        model=of.model,
        tier=of.tier,
        pool=of.pool,
        replica=of.replica,
        reservation=None,
        uncached_input=1000,
        cached_input=500,
        cache_write=0,
        output=100,
        reasoning=0,
        started_at=of.at,
        ended_at=of.at + 900_000,
        bundle=of.bundle,
        spend_nano=270_000,
    )


if __name__ == "__main__":
    main()
