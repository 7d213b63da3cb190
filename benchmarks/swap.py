"""For how long does a new policy hold decisions up? The part of an activation that nothing else runs beside.

A policy is loaded and tested in a thread; what remains on the loop is the switch, and the pieces that
are left after it. Both are measured in processor time, for as many tenants as are in use, between two
policies that differ in one quota, and in every one. Beside it: what the loop waits for from when a
bundle's file is there until its policy may be activated, by a timer that ought to fire every millisecond.
With nothing being loaded; with a thread that reads, verifies, tests and indexes it as a gateway's does; and
with another process that does the same, which shows what the machine and its load do by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import uvloop
from msgspec.structs import replace

from benchmarks.decision import policy, requests, run, without_prefix
from benchmarks.machine import banner
from benchmarks.policy import write_state
from coordination.program.index import load
from coordination.program.records import ProgramRecords
from coordination.scheduling import Switch, new_state
from gateway.activation import Active, StateFolder
from gateway.main import settle_down
from subscriber.beside import undisturbed
from tests.support.programs import START

ROUNDS = 8
TICK = 0.001


def changed(records: ProgramRecords, quotas: int) -> ProgramRecords:
    """The same policy with so many quotas' limits raised by one."""
    moved = tuple(
        replace(quota, limits=tuple(replace(one, limit=one.limit + 1) for one in quota.limits))
        if at < quotas
        else quota
        for at, quota in enumerate(records.quotas)
    )
    return replace(records, quotas=moved)


def pauses(
    first: ProgramRecords, second: ProgramRecords, in_use: int
) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of processor time of ``ROUNDS`` activations, back and forth: each switch, each step
    after it, and all steps of one. Every program is a new one, and is given up by the next."""
    program = load(first)
    state = new_state(program, route_salt="salt", seed=1, now=START)
    warm = [
        without_prefix(one, f"warm{at}", f"t{at:05d}")
        for at, one in enumerate(requests(in_use, in_use, 8, seed=7))
    ]
    run(program, state, warm, 32)
    switches: list[float] = []
    steps: list[float] = []
    together: list[float] = []
    for turn in range(ROUNDS):
        following = load(copied(first if turn % 2 else second))
        gc.collect()
        gc.disable()
        now = START + 1_000_000 * (turn + 1)
        began = time.thread_time()
        switch = Switch(state, following, now)
        program = following
        switches.append((time.thread_time() - began) * 1000)
        left, at = True, len(steps)
        while left:
            began = time.thread_time()
            left = switch.step(now)
            steps.append((time.thread_time() - began) * 1000)
        together.append(sum(steps[at:]))
        gc.enable()
        again = [without_prefix(one, f"{turn}-{one.request_id}", one.tenant) for one in warm[:2000]]
        run(program, state, again, 32)
    return switches, steps, together


def copied(records: ProgramRecords) -> ProgramRecords:
    """As if read from another bundle: nothing of it is shared with what is in force."""
    return msgspec.json.decode(msgspec.json.encode(records), type=ProgramRecords)


class Elsewhere:
    """A process, as if it were a thread."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)

    def is_alive(self) -> bool:
        return self._process.poll() is None


READS = """
import pathlib, sys, time
from gateway.activation import Active, StateFolder
for _ in range(2):
    assert isinstance(StateFolder(pathlib.Path(sys.argv[1])).load(time.time_ns() // 1000), Active)
"""


def reads(folder: Path, kept: list[Active]) -> None:
    """As a gateway's thread does from when the files have changed. What it made is kept: letting go of it
    is a part of the switch."""
    found = undisturbed(StateFolder(folder).load, time.time_ns() // 1000)
    if not isinstance(found, Active):
        raise SystemExit(found.message)
    kept.append(found)


def loading(records: ProgramRecords) -> None:
    """Says by how much a timer is late on the three ways, in turns."""
    settle_down()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "state"
        write_state(records, folder)
        kept: list[Active] = []
        elsewhere = [sys.executable, "-c", READS, str(folder)]
        late: dict[str, list[float]] = {"nothing is loaded": [], "a thread loads": [], "a process loads": []}
        for _ in range(ROUNDS // 2):
            late["nothing is loaded"] += uvloop.run(lateness(None, 1.0))
            thread = threading.Thread(target=reads, args=[folder, kept])
            late["a thread loads"] += uvloop.run(lateness(thread, 0))
            late["a process loads"] += uvloop.run(lateness(Elsewhere(elsewhere), 0))
    for name, values in late.items():
        print(f"a timer while {name:<18} {shown(values)}")


async def lateness(work: threading.Thread | Elsewhere | None, seconds: float) -> list[float]:
    """By how many milliseconds a timer is late while ``work`` runs (or for so many seconds)."""
    if work is not None:
        work.start()
    late: list[float] = []
    until = time.perf_counter() + seconds
    while work.is_alive() if work is not None else time.perf_counter() < until:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append((time.perf_counter() - began - TICK) * 1000)
    return late


def shown(values: list[float]) -> str:
    ordered = sorted(values)
    return (
        f"median {statistics.median(ordered):7.3f}  p99 {ordered[len(ordered) * 99 // 100]:7.3f}"
        f"  most {ordered[-1]:7.3f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    chosen = parser.parse_args()
    print(banner())
    first = policy(chosen.tenants, 8)
    print(f"policy of {chosen.tenants:,} tenants, three limits each")
    for what, quotas in (("one quota", 1), ("every quota", chosen.tenants)):
        records = changed(first.records, quotas)
        for in_use in (100, chosen.tenants):
            switches, steps, together = pauses(first.records, records, in_use)
            print(f"{what} changed, {in_use:,} tenants in use")
            print(f"  the switch            {shown(switches)}")
            print(f"  a step after it       {shown(steps)}")
            print(f"  all steps of a switch {shown(together)}", flush=True)
    loading(changed(first.records, 1))


if __name__ == "__main__":
    main()
