"""How long does one decision take: admit + dispatch + first_byte + settle, hashes given?

    python -m benchmarks.decision [--requests N] [--replicas N] [--tenants N] [--blocks N] [--profile]

Two loads: *open* (every request goes at once) and *queued* (the fleet is saturated, every request waits
for a replica to open). *read* is what comes before: of a JSON body of 32 KB the text, token estimate and
block hashes. One process, one core, no I/O; prints cycles per second and microseconds each.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import random
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import orjson

from benchmarks.machine import banner
from coordination.program.index import Program, load
from coordination.scheduling import (
    Dispatch,
    Request,
    State,
    Usage,
    admit,
    block_hashes,
    dispatch,
    first_byte,
    new_state,
    settle,
)
from gateway.prompt import ModelRequest, chat_prompt, read_chat
from tests.support.programs import START, a_policy, limit

BLOCKS = 64
_T = TypeVar("_T")


def policy(tenants: int, replicas: int) -> Program:
    """Every tenant with a weight, a request limit, a token limit and a concurrency ceiling."""
    built = a_policy().model().pool(replicas=replicas, input_per_minute=2_000_000, output_per_minute=400_000)
    built.tier(max_depth=1_000_000, max_wait=600_000_000).route()
    built.prices(("m", 0, 100, 10, 400))
    for number in range(tenants):
        name = f"t{number:05d}"
        built.tenant(name)
        built.quota(
            f"q-{name}",
            name,
            limit("requests", "1m", 10**8),
            limit("total_tokens", "1m", 10**12),
            limit("spend", "month", 10**15),
            weight=1 + number % 4,
            concurrency=10**6,
        )
    return load(built.records())


def requests(count: int, tenants: int, blocks: int, seed: int) -> list[Request]:
    """Conversations of a few turns: all share block 0, a turn extends the one before."""
    random_ = random.Random(seed)
    made: list[Request] = []
    chains: list[tuple[str, list[int]]] = []
    for number in range(count):
        if chains and random_.random() < 0.7:
            tenant, chain = chains[random_.randrange(len(chains))]
        else:
            tenant, chain = f"t{random_.randrange(tenants):05d}", [1]
            chains.append((tenant, chain))
            if len(chains) > 2000:
                chains.pop(0)
        while len(chain) < blocks:
            chain.append(random_.getrandbits(64))
        if random_.random() < 0.5:
            del chain[blocks * 3 // 4 :]
            chain.extend(random_.getrandbits(64) for _ in range(blocks - len(chain)))
        made.append(
            Request(
                f"req_{number}",
                tenant,
                "m",
                "standard",
                False,
                blocks * 128,
                256,
                tuple(chain),
                START,
                f"s{number}",
            )
        )
    return made


def without_prefix(request: Request, request_id: str, tenant: str) -> Request:
    """The same, of another tenant, with a prompt that nobody shares."""
    return Request(
        request_id,
        tenant,
        request.model,
        request.tier,
        request.scale,
        request.prompt_tokens,
        request.max_tokens,
        (),
        request.arrived,
        request.stickiness,
    )


def run(program: Program, state: State, load: list[Request], in_flight: int) -> None:
    """Keep ``in_flight`` requests admitted at once; finish the oldest dispatched to make room."""
    now = START
    running: deque[Dispatch] = deque()
    admitted = 0
    for request in load:
        now += 20
        request.arrived = now
        admit(program, state, request, now)
        admitted += 1
        running.extend(dispatch(program, state, "p", now))
        while admitted >= in_flight and running:
            done = running.popleft()
            first_byte(program, state, done, now)
            running.extend(dispatch(program, state, "p", now))
            settle(program, state, done, Usage(4096, 4096, 200), "completed", now)
            running.extend(dispatch(program, state, "p", now))
            admitted -= 1
    while running:
        done = running.popleft()
        settle(program, state, done, Usage(4096, 4096, 200), "completed", now)
        running.extend(dispatch(program, state, "p", now))


def body_of(size: int, number: int) -> bytes:
    """A chat request of about so many bytes."""
    text = f"question {number} " + "what came before " * (size // 17)
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 256})


def read(bodies: list[bytes]) -> None:
    """As a gateway reads a chat request before it decides."""
    for body in bodies:
        asked = read_chat(body)
        assert isinstance(asked, ModelRequest)
        block_hashes(chat_prompt(asked.body).text, 1)


def measure(name: str, work: Callable[[list[_T]], None], load: list[_T]) -> None:
    """Slices of a thousand: the median, and the quickest (what the code costs on a quiet machine)."""
    gc.collect()
    gc.freeze()
    each: list[float] = []
    for at in range(0, len(load), 1000):
        part = load[at : at + 1000]
        began = time.process_time()
        work(part)
        each.append((time.process_time() - began) / len(part))
    middle = statistics.median(each)
    print(
        f"{name:8} {1 / middle:10,.0f} cycles/s {middle * 1e6:8.1f} us each,"
        f" quickest {min(each) * 1e6:.1f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--replicas", type=int, default=64)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    print(banner())
    print(f"{chosen.replicas} replicas, {chosen.tenants} tenants, prompts of {chosen.blocks} blocks")
    program = policy(chosen.tenants, chosen.replicas)
    for name, in_flight in (("open", chosen.replicas // 2), ("queued", chosen.replicas * 8)):
        load = requests(chosen.requests, chosen.tenants, chosen.blocks, seed=7)
        state = new_state(program, route_salt="salt", seed=1, now=START)
        warm = [without_prefix(one, f"warm{i}", f"t{i:05d}") for i, one in enumerate(load[: chosen.tenants])]
        run(program, state, warm, in_flight)
        if chosen.profile:
            profiler = cProfile.Profile()
            profiler.runcall(run, program, state, load, in_flight)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(22)
        else:
            measure(name, lambda part, s=state, n=in_flight: run(program, s, part, n), load)  # type: ignore[misc]
    if not chosen.profile:
        measure("read", read, [body_of(32 * 1024, number) for number in range(chosen.requests)])


if __name__ == "__main__":
    main()
