"""How long does a stream's first event take beside the direct way, while many streams are open?

128 connections hold a stream each, of 100 events at the pace of an engine, and begin the next when one has
ended. So nothing is at its limit, and what a proxy adds to the first event is what its clients notice: its
own work, the work for other streams' events that stands before it, and any wait for a buffer to fill or an
acknowledgement to come, which would show as tens of milliseconds. Load and engine share a core, the proxy
has the other; every system is measured in every round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from benchmarks import peers, policy, stack
from benchmarks.gateway import SHORT_TOKENS, bodies
from benchmarks.load import measure, request_bytes
from benchmarks.machine import banner, two_cores
from benchmarks.processes import Spent, spent

LISTENERS = 8
EVENTS = 100
EVENT_MS = 20.0


@dataclass(slots=True)
class System:
    """Something that answers streams, and what was seen of it, a sample a round."""

    name: str
    url: str
    keys: Sequence[str]
    pid: int | None = None
    """Of the proxy."""
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    most_ms: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    """Part of its core that the proxy used."""


def sample(system: System, streams: int, seconds: float) -> None:
    """One stretch of load on one system."""
    around: list[Spent] = []

    def look() -> None:
        if system.pid is not None:
            around.append(spent(system.pid))

    parts = urlsplit(system.url)
    host, port = parts.hostname or "", parts.port or 80
    requests = [
        request_bytes(
            host,
            port,
            system.keys[index % len(system.keys)],
            json.dumps(json.loads(body) | {"stream": True}).encode(),
        )
        for index, body in enumerate(bodies(SHORT_TOKENS))
    ]
    taken = uvloop.run(
        measure(
            host,
            port,
            requests,
            connections=streams,
            seconds=seconds,
            spread_s=EVENTS * EVENT_MS / 1e3,
            on_start=look,
            on_end=look,
        )
    )
    firsts = sorted(taken.firsts_s)
    system.p50_ms.append(firsts[len(firsts) // 2] * 1e3)
    system.p99_ms.append(firsts[len(firsts) * 99 // 100] * 1e3)
    system.most_ms.append(firsts[-1] * 1e3)
    if around:
        system.busy.append((around[1].cpu_s - around[0].cpu_s) / taken.seconds)


def run(rounds: int, streams: int, seconds: float, wanted: Sequence[peers.Peer]) -> list[System]:
    """Starts everything, measures in interleaved rounds, ends everything."""
    proxy_core, load_core = two_cores()
    with tempfile.TemporaryDirectory() as name, ExitStack() as held:
        folder = Path(name)
        urls = held.enter_context(
            stack.upstream(LISTENERS, folder, load_core, events=EVENTS, event_ms=EVENT_MS)
        )
        records = policy.with_far_limits(policy.over_replicas(policy.quickstart(), urls))
        keys = list(policy.write_state(records, folder / "state").values())
        ours = held.enter_context(stack.gateway(folder / "state", folder, proxy_core, record=True))
        systems = [System("direct", urls[0], ["none"]), System("headway", ours.url, keys, ours.process.pid)]
        for peer in wanted:
            peers.install(peer)
            served = held.enter_context(peers.serving(peer, urls, folder, proxy_core))
            systems.append(System(f"{peer.name} {peer.version}", served.url, [peers.KEY], served.process.pid))
        for _ in range(rounds):
            for system in systems:
                sample(system, streams, seconds)
        return systems


def report(systems: Sequence[System]) -> str:
    """What each adds to the direct way, by the medians of the rounds."""
    direct = systems[0]
    lines = []
    for system in systems:
        p50, p99, most = (statistics.median(of) for of in (system.p50_ms, system.p99_ms, system.most_ms))
        line = f"{system.name:<22}first event p50 {p50:6.2f}  p99 {p99:6.2f}  most {most:6.2f} ms"
        if system is not direct:
            added = statistics.median(a - b for a, b in zip(system.p50_ms, direct.p50_ms, strict=True))
            line += f"   adds {added:.2f} ms, {statistics.median(system.busy):.0%} of its core"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Prints the machine and the figures."""
    options = argparse.ArgumentParser(prog="python -m benchmarks streams")
    options.add_argument("--streams", type=int, default=128)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=4.0, help="of load, each system of each round")
    peers.add_option(options)
    chosen = options.parse_args()
    print(banner())
    print(
        f"setup     {chosen.streams} streams of {EVENTS} events, one every {EVENT_MS:g} ms, every attempt on "
        f"record, medians of {chosen.rounds} interleaved rounds of {chosen.seconds:g} s"
    )
    wanted = peers.asked_for(chosen.peers)
    print(report(run(chosen.rounds, chosen.streams, chosen.seconds, wanted)))


if __name__ == "__main__":
    main()
