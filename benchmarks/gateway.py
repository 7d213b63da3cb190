"""What does the gateway add to a request, and what does that cost, beside what others take for it?

The proxy has one core, load and upstream the other. Every system is measured in every round, one after
another, in an order drawn anew for each case: whoever comes after a system that leaves the core idle finds
it slow. On a machine that others use too, only figures taken side by side compare, so the ratios, each the
median of the rounds' own, come first. Throughput compares proxies only where their core was the limit; the
processor time of a request always does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from benchmarks import peers, policy, stack
from benchmarks.load import BadAnswer, measure, request_bytes
from benchmarks.machine import banner, two_cores
from benchmarks.processes import Spent, spent
from benchmarks.upstream import ANSWER, MODEL
from simfleet.traces import words

LISTENERS = 8
PROMPTS = 64
SHORT_TOKENS = 40
LONG_TOKENS = 8192
SHARED = 0.75
"""Part of a prompt that all prompts share, as system prompts and history are."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    prompt_tokens: int
    connections: int


CASES = (
    Case("short, 1 connection", SHORT_TOKENS, 1),
    Case("short, 32 connections", SHORT_TOKENS, 32),
    Case("32 KB, 1 connection", LONG_TOKENS, 1),
    Case("32 KB, 32 connections", LONG_TOKENS, 32),
)


@dataclass(slots=True)
class Figures:
    """Samples of one system in one case, one a round."""

    per_second: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Processor milliseconds of the proxy a request; empty for the direct way."""

    def medians(self) -> tuple[float, float, float]:
        return (
            statistics.median(self.per_second),
            statistics.median(self.p50_us),
            statistics.median(self.cpu_ms) if self.cpu_ms else 0.0,
        )


@dataclass(slots=True)
class System:
    """Something that answers completions, and its samples."""

    name: str
    url: str
    keys: list[str]
    pid: int | None = None
    """Of the proxy."""
    figures: dict[str, Figures] = field(default_factory=dict)
    rss_mb: float = 0.0
    trouble: str = ""

    def requests(self, case: Case) -> list[bytes]:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port or 80
        return [
            request_bytes(host, port, self.keys[index % len(self.keys)], body)
            for index, body in enumerate(bodies(case.prompt_tokens))
        ]


def bodies(prompt_tokens: int) -> list[bytes]:
    """Distinct prompts of that many tokens that share most of their length."""
    shared = words(b"shared", int(prompt_tokens * SHARED)).decode()
    return [
        json.dumps(
            {
                "model": MODEL,
                "max_tokens": 16,
                "messages": [
                    {
                        "role": "user",
                        "content": shared
                        + words(b"own %d" % number, prompt_tokens - int(prompt_tokens * SHARED)).decode(),
                    }
                ],
            }
        ).encode()
        for number in range(PROMPTS)
    ]


def sample(system: System, case: Case, seconds: float) -> None:
    """One stretch of load on one system."""
    if system.trouble:
        return
    around: list[Spent] = []

    def look() -> None:
        if system.pid is not None:
            around.append(spent(system.pid))

    parts = urlsplit(system.url)
    try:
        taken = uvloop.run(
            measure(
                parts.hostname or "",
                parts.port or 80,
                system.requests(case),
                connections=case.connections,
                seconds=seconds,
                on_start=look,
                on_end=look,
            )
        )
    except (BadAnswer, TimeoutError, OSError) as problem:
        system.trouble = f"{case.name}: {type(problem).__name__} {problem}"
        return
    figures = system.figures.setdefault(case.name, Figures())
    figures.per_second.append(taken.per_second)
    figures.p50_us.append(taken.p50_s * 1e6)
    if around:
        figures.cpu_ms.append((around[1].cpu_s - around[0].cpu_s) * 1e3 / taken.requests)
        system.rss_mb = max(system.rss_mb, around[1].rss_mb)


def report(systems: Sequence[System]) -> str:
    """Ratios, then the absolute figures they come from."""
    direct, ours, others = systems[0], systems[1], systems[2:]
    lines: list[str] = []
    for system in systems:
        if system.trouble:
            lines.append(f"! {system.name} {system.trouble}")
    for case in CASES:
        if case.name not in ours.figures or case.name not in direct.figures:
            continue
        rate, p50, _ = ours.figures[case.name].medians()
        direct_rate, direct_p50, _ = direct.figures[case.name].medians()
        lines += ["", case.name]
        if case.connections == 1:
            lines.append(f"  headway adds {p50 - direct_p50:.0f} us to the direct p50 of {direct_p50:.0f} us")
        else:
            lines.append(f"  headway takes {rate / direct_rate:.2f} of the direct rate")
        for other in others:
            if case.name not in other.figures:
                continue
            mine, theirs = ours.figures[case.name], other.figures[case.name]
            lines.append(
                f"  against {other.name}: {_beside(mine.per_second, theirs.per_second):.2f}x the throughput, "
                f"{_beside(mine.cpu_ms, theirs.cpu_ms):.2f}x the CPU a request, "
                f"{_beside(mine.p50_us, theirs.p50_us):.2f}x the p50"
            )
        for system in systems:
            if case.name in system.figures:
                a_rate, a_p50, a_cpu = system.figures[case.name].medians()
                # A core used in part was not the limit: the load's was, or somebody else had it.
                proxy = (
                    f"{a_cpu:8.3f} CPU-ms/request, {a_rate * a_cpu / 1e3:.0%} of its core" if a_cpu else ""
                )
                lines.append(
                    f"    {system.name:<24}{a_rate:>10,.0f} requests/s  p50 {a_p50:>8,.0f} us {proxy}"
                )
    lines += ["", *(f"RSS {system.name:<20} {system.rss_mb:.0f} MB" for system in systems[1:])]
    return "\n".join(lines)


def _beside(ours: Sequence[float], others: Sequence[float]) -> float:
    """The median of the rounds' ratios; a system that failed has fewer rounds."""
    return statistics.median(mine / other for mine, other in zip(ours, others, strict=False))


def run(rounds: int, seconds: float, wanted: Sequence[peers.Peer]) -> list[System]:
    """Starts everything, measures in interleaved rounds, ends everything."""
    proxy_core, load_core = two_cores()
    with tempfile.TemporaryDirectory() as name, ExitStack() as held:
        folder = Path(name)
        upstreams = held.enter_context(stack.upstream(LISTENERS, folder, load_core))
        records = policy.with_far_limits(policy.over_replicas(policy.quickstart(), upstreams))
        keys = policy.write_state(records, folder / "state")
        ours = held.enter_context(stack.gateway(folder / "state", folder, proxy_core, record=True))
        plain = held.enter_context(stack.gateway(folder / "state", folder, proxy_core))
        nothing = held.enter_context(stack.passthrough(upstreams, folder, proxy_core))
        secrets = list(keys.values())
        systems = [
            System("direct", upstreams[0], ["none"]),
            System("headway", ours.url, secrets, ours.process.pid),
            System("headway, no record", plain.url, secrets, plain.process.pid),
            System("bytes passed on", nothing.url, ["none"], nothing.process.pid),
        ]
        for peer in wanted:
            peers.install(peer)
            served = held.enter_context(peers.serving(peer, upstreams, folder, proxy_core))
            systems.append(System(f"{peer.name} {peer.version}", served.url, [peers.KEY], served.process.pid))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, load_core)
        try:
            drawn = random.Random(1)
            for _ in range(rounds):
                for case in CASES:
                    for system in drawn.sample(systems, len(systems)):
                        sample(system, case, seconds)
        finally:
            os.sched_setaffinity(0, before)
        return systems


def main() -> None:
    """Prints the machine, the ratios and the figures."""
    options = argparse.ArgumentParser(prog="python -m benchmarks gateway")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1.5, help="of load, each case of each round")
    peers.add_option(options)
    chosen = options.parse_args()
    print(banner())
    print(
        f"setup     quickstart policy with far limits, answers of {len(ANSWER)} B, "
        f"medians of {chosen.rounds} interleaved rounds of {chosen.seconds:g} s, "
        "proxy on one core, load and upstream on another"
    )
    wanted = peers.asked_for(chosen.peers)
    systems = run(chosen.rounds, chosen.seconds, wanted)
    print(report(systems))
    if any(system.trouble for system in systems):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
