"""``make soak``: do agents beside people change what people wait for, and does a gateway's memory stay?

    make soak ARGS="--minutes 10 --people 12 --agents 3"

Two questions, each over real sockets. First: a gateway before engines that answer at once, under the
quickstart's policy, for as long as is asked; once its rings of explanations are full (10,000
requests) its memory must not grow by more than a twentieth. Then: people who think, ask and read, on a
gateway under `examples/agents` as it is shipped but for its limits' sizes, in turns of equal length, without
and with agents that make one step after the other on ever longer contexts. People ask the very same in both
turns of a round. Their 95th percentile of the time to the first token must move by less than the bar; where
agents and people share replicas it is printed, not promised.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import uvloop

from benchmarks import policy, stack
from benchmarks.gateway import bodies
from benchmarks.load import measure, request_bytes
from benchmarks.machine import ROOT, banner
from benchmarks.processes import spent
from coordination.compiler import build
from coordination.program.records import ProgramRecords
from coordination.spec import SourceFile, read
from simfleet.traces.prompts import words
from simfleet.workload.client import Client, ExchangeFailed, Target

FULL = 12_000
"""Requests after which nothing in a gateway fills up any more."""
PIECES = 10
MOST_GROWTH = 0.05
STEP_TOKENS = 1500
"""By so much a context grows from step to step."""
FIRST_TOKENS, LAST_TOKENS = 9_000, 36_000
WARM_S = 3.0
FEWEST = 100
"""Requests of people a side; with fewer a 95th percentile says nothing."""


@dataclass(slots=True)
class Side:
    """What people saw in turns of one kind."""

    name: str
    ttft_ms: list[float] = field(default_factory=list)
    refused: int = 0
    steps: int = 0
    """Of agents, answered."""
    context_tokens: int = 0
    """Of all those steps."""

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.ttft_ms, n=20)[-1] if len(self.ttft_ms) > 1 else 0.0

    def line(self) -> str:
        p50 = statistics.median(self.ttft_ms) if self.ttft_ms else 0.0
        agents = (
            f"; agents: {self.steps:,} steps, {self.context_tokens:,} prompt tokens" if self.steps else ""
        )
        return (
            f"{self.name:<16} {len(self.ttft_ms):>6,} answers, {self.refused} refused; "
            f"TTFT p50 {p50:.1f} ms, p95 {self.p95:.1f} ms{agents}"
        )


def agents_policy(urls: list[str], *, shared: bool) -> ProgramRecords:
    """The example over these replicas, with limits nobody meets; ``shared``: all in one pool."""
    folder = ROOT / "examples" / "agents"
    policy_set, _ = read([SourceFile(p.name, p.read_bytes()) for p in sorted(folder.glob("*.yaml"))])
    records, *_ = build(policy_set, environment="dev", at=time.time_ns() // 1000)
    if records is None:
        raise ValueError("examples/agents does not compile")
    made = policy.with_far_limits(policy.over_replicas(records, urls))
    quotas = tuple(msgspec.structs.replace(quota, run=None, caps=None) for quota in made.quotas)
    made = msgspec.structs.replace(made, quotas=quotas)
    if not shared:
        return made
    (first, *_) = [pool for pool in made.pools if pool.name == "short"]
    pools = tuple(
        msgspec.structs.replace(first, replicas=tuple(urls)) if pool is first else pool
        for pool in made.pools
        if pool.name == "short"
    )
    routes = tuple(
        msgspec.structs.replace(
            route,
            targets=tuple(msgspec.structs.replace(one, pool="short") for one in route.targets[:1]),
            fallback=(),
        )
        for route in made.routes
    )
    return msgspec.structs.replace(made, pools=pools, routes=routes)


async def person(client: Client, key: str, seed: str, ends: float, side: Side) -> None:
    """Thinks, asks, reads; what is asked, and the thinking, follow from the seed."""
    random_, loop = random.Random(seed), asyncio.get_running_loop()
    while True:
        await asyncio.sleep(random_.expovariate(1.0))
        prompt = words(seed.encode() + random_.randbytes(4), random_.randint(100, 1500)).decode()
        if loop.time() >= ends:
            return
        began = loop.time()
        answer = await client.complete(_body(prompt, 48, "interactive"), key)
        if answer.status == 200 and answer.first_token_at is not None:
            side.ttft_ms.append((answer.first_token_at - began) * 1000)
        else:
            side.refused += 1


async def agent(client: Client, key: str, name: str, ends: float, side: Side) -> None:
    """One step after the other, each a little longer than the last; a new run when a context is full."""
    loop = asyncio.get_running_loop()
    for run in itertools.count():
        context = words(f"{name}{run}".encode(), LAST_TOKENS)
        for step, tokens in enumerate(range(FIRST_TOKENS, LAST_TOKENS, STEP_TOKENS), 1):
            if loop.time() >= ends:
                return
            text = context[: len(context) * tokens // LAST_TOKENS].decode()
            fields = f"x-run-id: {name}-{run}\r\nx-run-step: {step}\r\n"
            answer = await client.complete(_body(text, 64, None), key, fields)
            if answer.status != 200:
                await asyncio.sleep(0.1)
                continue
            side.steps += 1
            side.context_tokens += answer.prompt_tokens


async def turn(url: str, keys: dict[str, str], options: argparse.Namespace, seed: int, side: Side) -> None:
    """One stretch of time; agents begin before people do, so that people meet them at work."""
    ends = asyncio.get_running_loop().time() + options.turn + WARM_S
    agents = options.agents if side.name == "with agents" else 0
    async with Client(Target.parse(url)) as client:
        at_work = [
            asyncio.ensure_future(agent(client, keys["workshop/coder"], f"{seed}-{number}", ends, side))
            for number in range(agents)
        ]
        await asyncio.sleep(WARM_S)
        await asyncio.gather(
            *(
                person(client, keys["workshop"], f"{seed}/{number}", ends, side)
                for number in range(options.people)
            )
        )
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)


async def rounds(url: str, keys: dict[str, str], options: argparse.Namespace) -> tuple[Side, Side]:
    """Both sides in turns, in changing order."""
    alone, beside = Side("people alone"), Side("with agents")
    count = max(1, round(options.minutes * 60 / (2 * options.turn)))
    for number in range(count):
        order = (alone, beside) if number % 2 else (beside, alone)
        for side in order:
            await turn(url, keys, options, number, side)
        told = f"round {number + 1} of {count}: p95 {alone.p95:.1f} and {beside.p95:.1f} ms"
        print(told, file=sys.stderr, flush=True)
    return alone, beside


@contextmanager
def serving(folder: Path, *, shared: bool) -> Iterator[tuple[stack.Served, dict[str, str]]]:
    """Two processes of two engines each: what one pool's engines do costs the other's no processor time that
    a machine of its own would not have."""
    options = ["--stream-interval", "8"]
    with stack.fleet(2, folder, options) as short, stack.fleet(2, folder, options) as long:
        state = folder / ("shared" if shared else "apart")
        keys = policy.write_state(agents_policy([*short.urls, *long.urls], shared=shared), state)
        with stack.gateway(state, folder) as served:
            yield served, keys


def people_and_agents(options: argparse.Namespace, folder: Path) -> bool:
    """Says what both sides saw; whether the bar was kept."""
    holds = True
    for shared in (False, True)[: 2 if options.shared else 1]:
        with serving(folder, shared=shared) as (served, keys):
            alone, beside = uvloop.run(rounds(served.url, keys, options))
        moved = beside.p95 / alone.p95 - 1 if alone.p95 else 0.0
        print(f"\n{'one pool for all' if shared else 'as examples/agents has it'}, {options.agents} agents")
        print(alone.line(), beside.line(), sep="\n")
        if alone.refused or beside.refused:
            print(f"FAILS: {alone.refused} and {beside.refused} of people's requests were refused")
            holds = False
        if shared:
            print(f"people's TTFT p95 moved by {moved:+.1%} (printed, not promised)")
            continue
        few = min(len(alone.ttft_ms), len(beside.ttft_ms)) < FEWEST
        kept = few or moved < options.bar / 100
        says = "too few answers to say" if few else ("holds" if kept else "FAILS")
        print(f"people's TTFT p95 moved by {moved:+.1%}, less than {options.bar:g} % is wanted: {says}")
        holds = holds and kept
    return holds


def memory_stays(options: argparse.Namespace, folder: Path) -> bool:
    """Says what a gateway held after each tenth of its requests; whether it had stopped growing."""
    with stack.upstream(8, folder) as urls:
        records = policy.with_far_limits(policy.over_replicas(policy.quickstart(), urls))
        keys = policy.write_state(records, folder / "memory")
        with stack.gateway(folder / "memory", folder) as served:
            requests = [
                request_bytes(stack.LOOPBACK, served.port, key, body)
                for key, body in zip(itertools.cycle(keys.values()), bodies(200), strict=False)
            ]
            held: list[tuple[int, float]] = []
            asked = 0
            for _ in range(PIECES):
                piece = measure(
                    stack.LOOPBACK,
                    served.port,
                    requests,
                    connections=16,
                    seconds=options.memory / PIECES,
                    warmup_s=0,
                )
                asked += uvloop.run(piece).requests
                held.append((asked, spent(served.process.pid).rss_mb))
    print("\nmemory of a gateway, MB by requests: " + ", ".join(f"{mb:.0f} at {n:,}" for n, mb in held))
    settled = [mb for n, mb in held if n >= FULL]
    if len(settled) < 3:
        print(f"too few requests to say: nothing fills up any more after {FULL:,}")
        return True
    growth = settled[-1] / settled[0] - 1
    says = "holds" if growth <= MOST_GROWTH else "FAILS"
    print(f"after {FULL:,} requests it moved by {growth:+.1%}, at most {MOST_GROWTH:.0%} is wanted: {says}")
    return growth <= MOST_GROWTH


def _body(text: str, max_tokens: int, tier: str | None) -> bytes:
    body = {
        "model": "llama-3-8b",
        "stream": True,
        "max_tokens": max_tokens,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": text}],
    }
    return json.dumps(body | ({"service_tier": tier} if tier else {})).encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of people and agents, both sides")
    parser.add_argument("--turn", type=float, default=20.0, help="seconds of one side before the other")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--bar", type=float, default=10.0, help="percent that people's TTFT p95 may move by")
    parser.add_argument("--shared", action="store_true", help="also with one pool for all")
    parser.add_argument("--memory", type=float, default=60.0, help="seconds of its part; 0 leaves it out")
    options = parser.parse_args()
    print(banner())
    with tempfile.TemporaryDirectory() as made:
        try:
            flat = memory_stays(options, Path(made)) if options.memory else True
            kept = people_and_agents(options, Path(made)) if options.minutes else True
        except ExchangeFailed as problem:
            print(f"FAILS: {problem}")
            raise SystemExit(1) from None
    raise SystemExit(0 if flat and kept else 1)


if __name__ == "__main__":
    main()
