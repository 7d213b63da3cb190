"""What do worker processes bring, and what does asking a parent cost?

The same gateway as one process and with workers, every attempt put on record, over an engine that answers at
once: in whole, and in streams of many events. Both are measured in every round, one after another, on all
cores of this machine, which load and engine share with them. So throughput says what is left of the cores;
the processor time of a request, and which part of it is the parent's, says how far workers scale: the parent
decides for all, on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks import policy, stack
from benchmarks.gateway import SHORT_TOKENS, bodies
from benchmarks.load import measure, request_bytes
from benchmarks.machine import banner
from benchmarks.processes import TICKS, spent
from benchmarks.stack import LOOPBACK, Served

LISTENERS = 8
CONNECTIONS = 32
EVENTS = 100


@dataclass(slots=True)
class Figures:
    """Of one gateway in one case, a sample a round."""

    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """Of a request, all processes together."""
    parent_us: list[float] = field(default_factory=list)
    """Of that, the process that decides; with one process, all."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    stream: bool
    gateways: tuple[tuple[int, Served], ...]
    """By number of workers."""
    keys: Sequence[str]

    def requests(self, served: Served) -> list[bytes]:
        members = {"stream": True} if self.stream else {}
        return [
            request_bytes(
                LOOPBACK,
                served.port,
                self.keys[index % len(self.keys)],
                json.dumps(json.loads(body) | members).encode(),
            )
            for index, body in enumerate(bodies(SHORT_TOKENS))
        ]


def own_cpu_s(pid: int) -> float:
    """Processor seconds of one process without those it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def sample(case: Case, served: Served, seconds: float, figures: Figures) -> None:
    """One stretch of load on one gateway."""
    pid = served.process.pid
    looks: list[tuple[float, float]] = []

    def look() -> None:
        looks.append((spent(pid).cpu_s, own_cpu_s(pid)))

    taken = uvloop.run(
        measure(
            LOOPBACK,
            served.port,
            case.requests(served),
            connections=CONNECTIONS,
            seconds=seconds,
            on_start=look,
            on_end=look,
        )
    )
    (all_before, own_before), (all_after, own_after) = looks
    figures.per_second.append(taken.per_second)
    figures.p50_ms.append(taken.p50_s * 1e3)
    figures.cpu_us.append((all_after - all_before) * 1e6 / taken.requests)
    figures.parent_us.append((own_after - own_before) * 1e6 / taken.requests)


def run(rounds: int, seconds: float, workers: Sequence[int]) -> dict[str, dict[int, Figures]]:
    """Case -> workers -> figures."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as held:
        cases = []
        for title, events in (("whole answers", 0), (f"streams of {EVENTS} events", EVENTS)):
            folder = Path(name) / f"events-{events}"
            folder.mkdir()
            engines = held.enter_context(stack.upstream(LISTENERS, folder, events=events))
            records = policy.with_far_limits(policy.over_replicas(policy.quickstart(), engines))
            keys = policy.write_state(records, folder / "state")
            gateways = tuple(
                (
                    number,
                    held.enter_context(stack.gateway(folder / "state", folder, record=True, workers=number)),
                )
                for number in workers
            )
            cases.append(Case(title, bool(events), gateways, list(keys.values())))
        found = {case.name: {number: Figures() for number, _ in case.gateways} for case in cases}
        for _ in range(rounds):
            for case in cases:
                for number, served in case.gateways:
                    sample(case, served, seconds, found[case.name][number])
        return found


def report(found: dict[str, dict[int, Figures]]) -> str:
    """Figures, then what they say beside those of one process."""
    lines = []
    for case, by_number in found.items():
        lines += ["", case]
        one = by_number[min(by_number)]
        for number, figures in by_number.items():
            rate, cpu, parent = (
                statistics.median(of) for of in (figures.per_second, figures.cpu_us, figures.parent_us)
            )
            beside = statistics.median(a / b for a, b in zip(figures.per_second, one.per_second, strict=True))
            word = "1 process" if number == 1 else f"{number} workers"
            lines.append(
                f"  {word:<12}{rate:>9,.0f} requests/s ({beside:.2f}x)  "
                f"p50 {statistics.median(figures.p50_ms):>7.1f} ms  "
                f"{cpu:>7,.0f} us CPU a request, of which the parent {parent:,.0f}"
            )
            if number > 1:
                lines.append(f"  {'':<12}one core for the parent would bear {1e6 / parent:,.0f} requests/s")
    return "\n".join(lines)


def main() -> None:
    """Prints the machine and the figures."""
    options = argparse.ArgumentParser(prog="python -m benchmarks workers")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1.5, help="of load, each case of each round")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="how many, one gateway each")
    chosen = options.parse_args()
    print(banner())
    print(
        f"setup     quickstart policy with far limits, every attempt on record, {CONNECTIONS} connections, "
        f"medians of {chosen.rounds} interleaved rounds of {chosen.seconds:g} s; "
        f"{len(os.sched_getaffinity(0))} cores shared by gateway, load, engine and whatever else runs"
    )
    print(report(run(chosen.rounds, chosen.seconds, chosen.workers)))


if __name__ == "__main__":
    main()
