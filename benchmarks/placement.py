"""Does our placement find the cache and keep the load even, beside the published strategies?

    python -m benchmarks.placement [--replicas 8 16] [--blocks 4000 16000] [--seeds N] [--limit N]

The Mooncake conversation trace, Azure's traces and drawn workloads, on engines of Llama-3-70B with host
memory for 4,000 and 16,000 blocks of 512 tokens in all. ``balanced`` is the policy under the
simulator, with every rule a gateway applies; the others are ``benchmarks.strategies``. The Mooncake trace was
published with its instants rounded to 3 s: seed 0 takes them as they are, ten requests at a time, any other
seed spreads each such batch over the seconds up to the next. Every strategy meets the same arrivals, seed by
seed. A second table holds the bars of the scheduling design against ``balanced``.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.machine import banner
from benchmarks.simulate import PROFILE, TRACE, TRACES_VARIABLE, patient
from benchmarks.strategies import STRATEGIES, Outcome, Router
from coordination.capacity import PROFILES
from coordination.program.index import Program, load
from coordination.simulator import (
    Arrival,
    Settings,
    Simulation,
    Traffic,
    Workload,
    calm_collector,
    even_mix,
    from_trace,
    generate,
    interval,
)
from coordination.simulator.bounds import Bounds
from coordination.simulator.replica import EngineLimits
from coordination.traces import BLOCK_TOKENS, read_trace
from tests.support.programs import MINUTE, a_policy

OURS = "balanced"
AZURE = {
    "code": ("AzureLLMInferenceTrace_code.csv", 1.0),
    "azure-conversation": ("AzureLLMInferenceTrace_conv.csv", 6.0),
}
"""Azure's traces, and how fast each is played: as recorded, its conversations hardly meet on eight."""
ROUNDED_US = 3_000_000
"""What the Mooncake trace's instants are rounded to."""
HBM_TOKENS = 430_080
FIGURE_5 = {"random": 19.65, "least_outstanding": 5.27, "oracle": 3.58}
"""Random, load balancing, and local cache-aware (which estimates the first token as ours does)."""
DRAWN = {
    "agents": Traffic(
        tenant="acme",
        sessions_per_second=0.02,
        burstiness=2.0,
        families=4,
        system_tokens=8192,
        turns=40.0,
        pause_seconds=25.0,
        prompt_tokens=1500,
        output_tokens=300,
        context_tokens=120_000,
    ),
    "chats": Traffic(
        tenant="acme",
        sessions_per_second=20.0,
        burstiness=6.0,
        families=20,
        system_tokens=512,
        turns=3.0,
        pause_seconds=20.0,
        prompt_tokens=350,
        output_tokens=150,
        context_tokens=16_000,
    ),
    "tasks": Traffic(
        tenant="acme",
        sessions_per_second=14.0,
        burstiness=4.0,
        families=50,
        system_tokens=512,
        turns=1.5,
        pause_seconds=30.0,
        prompt_tokens=2500,
        output_tokens=60,
        context_tokens=30_000,
    ),
    "documents": Traffic(
        tenant="acme",
        sessions_per_second=1.4,
        burstiness=2.0,
        system_tokens=1,
        turns=1.3,
        pause_seconds=60.0,
        prompt_tokens=25_000,
        output_tokens=400,
        context_tokens=120_000,
    ),
}
"""Long sessions with a large shared prompt; short chats in bursts; prompts of the size of code, mostly asked
once, in bursts; long documents that share nothing, a quarter of them asked about again."""
REQUESTS = {"agents": 3000, "chats": 12_000, "tasks": 9000, "documents": 3000}


def policy(replicas: int) -> Program:
    """One tenant, one tier that waits long, one pool: placement alone decides."""
    built = a_policy().model("llama")
    built.pool(
        model="llama",
        replicas=replicas,
        input_per_minute=780_000,
        output_per_minute=230_000,
        kv_tokens=HBM_TOKENS,
    )
    built.tier(max_wait=600 * MINUTE, max_depth=10**6, cache_sharing="pool").route().tenant("acme")
    return load(patient(built.records()))


def ours(arrivals: list[Arrival], replicas: int, limits: EngineLimits, seed: int) -> Outcome:
    settings = Settings(seed=seed, host_tokens=limits.host_tokens)
    done = Simulation(policy(replicas), iter(arrivals), settings).run()
    return Outcome.of(list(done.replicas.values()), done.tally.total().ttft)


def theirs(name: str) -> Callable[[list[Arrival], int, EngineLimits, int], Outcome]:
    def run(arrivals: list[Arrival], replicas: int, limits: EngineLimits, seed: int) -> Outcome:
        return Router(replicas, limits, seed).run(arrivals, STRATEGIES[name])

    return run


def workloads(trace: Path, limit: int | None, seed: int) -> Iterator[tuple[str, list[Arrival]]]:
    """What is drawn differs with the seed. Azure's instants are exact, so seed 0 alone has them."""
    program = policy(1)
    mix = even_mix(program)
    if trace.exists():
        recorded = list(from_trace(read_trace(trace), mix, speed=1.0, seed=seed))[:limit]
        yield ("conversation, spread", spread(recorded, seed)) if seed else ("conversation", recorded)
    for name, (file, speed) in AZURE.items() if not seed else ():
        if (azure := trace.with_name(file)).exists():
            yield name, list(from_trace(read_trace(azure), mix, speed=speed, seed=seed))[:limit]
    for name, traffic in DRAWN.items() if seed else ():
        drawn = Workload(clients=(traffic,), requests=REQUESTS[name])
        yield name, list(generate(drawn, model="llama", seed=seed))[:limit]


def spread(arrivals: list[Arrival], seed: int) -> list[Arrival]:
    """Requests of one instant, at random over the time until the next; in the same order."""
    draw = random.Random(seed)
    found: list[Arrival] = []
    batches = [list(batch) for _, batch in itertools.groupby(arrivals, key=lambda one: one.at_us)]
    for batch, following in itertools.zip_longest(batches, batches[1:]):
        at = batch[0].at_us
        span = following[0].at_us - at if following else ROUNDED_US
        instants = sorted(draw.randrange(span) for _ in batch)
        found += [
            msgspec.structs.replace(one, at_us=at + later) for one, later in zip(batch, instants, strict=True)
        ]
    return found


def measured(chosen: argparse.Namespace, names: list[str], trace: Path) -> int:
    """Print a table for each workload and fleet; how many bars were missed."""
    if trace.exists():
        figure_5(trace, chosen.limit)
    missed = 0
    for replicas in chosen.replicas:
        for blocks in chosen.blocks:
            host = max(0, blocks * BLOCK_TOKENS - HBM_TOKENS)
            limits = EngineLimits(PROFILES[PROFILE], HBM_TOKENS, 256, host)
            found: dict[str, dict[str, list[Outcome]]] = {}
            shared: dict[str, float] = {}
            for seed in range(chosen.seeds + 1):
                for workload, arrivals in workloads(trace, chosen.limit, seed):
                    if chosen.workloads and workload.partition(",")[0] not in chosen.workloads.split(","):
                        continue
                    bounds = Bounds(replicas * blocks)
                    for one in arrivals:
                        bounds.arrived(one.prompt_tokens, list(one.blocks))
                    shared[workload] = bounds.shares()[1]
                    table = found.setdefault(workload, {})
                    for name in [*names, OURS]:
                        run = ours if name == OURS else theirs(name)
                        table.setdefault(name, []).append(run(arrivals, replicas, limits, seed))
            for workload, table in found.items():
                print(f"\n{workload}: {replicas} replicas, {blocks:,} blocks each, {seeds_of(table)}")
                show(table)
                even = workload.startswith("conversation") and replicas == 8
                missed += bars(table, shared[workload], even=even)
    return missed


def main() -> None:
    """Exit code 1 if a bar that was measured is missed."""
    options = argparse.ArgumentParser(prog="python -m benchmarks placement")
    options.add_argument("--replicas", type=int, nargs="+", default=[8, 16])
    options.add_argument("--blocks", type=int, nargs="+", default=[4000, 16000])
    options.add_argument(
        "--seeds", type=int, default=1, help="of what is drawn, besides the traces as they are"
    )
    options.add_argument("--limit", type=int)
    options.add_argument(
        "--workloads", default="", help=f"conversation, {', '.join([*AZURE, *DRAWN])}: a,b (default: all)"
    )
    options.add_argument("--only", default="", help="strategies beside ours, a,b (default: all)")
    chosen = options.parse_args()
    names = [name for name in chosen.only.split(",") if name] or list(STRATEGIES)
    trace = Path(os.environ.get(TRACES_VARIABLE, "")) / TRACE
    print(banner())
    with calm_collector():
        missed = measured(chosen, names, trace)
    if missed:
        raise SystemExit(1)


def seeds_of(table: dict[str, list[Outcome]]) -> str:
    count = len(table[OURS])
    return "1 seed" if count == 1 else f"{count} seeds"


def figure_5(trace: Path, limit: int | None) -> None:
    """Mooncake (FAST'25), Fig. 5: mean TTFT on this trace, 16 nodes, LLaMA3-70B's shape, caches of 3 M
    tokens. Theirs are nodes of eight A800, ours replicas of four A100; nothing is fitted."""
    limits = EngineLimits(PROFILES["llama-3-70b-a100-tp4"], HBM_TOKENS, 256, 3_000_000 - HBM_TOKENS)
    arrivals = next(workloads(trace, limit, 0))[1]
    print("\nMooncake Fig. 5, mean TTFT in seconds on 16 replicas (published, simulated)")
    for name, published in FIGURE_5.items():
        mean = Router(16, limits, 1).run(arrivals, STRATEGIES[name]).mean
        print(f"{name:24}{published:7.2f}{mean:8.2f}  {mean / published - 1:+.0%}")


def show(table: dict[str, list[Outcome]]) -> None:
    print(
        f"{'':24}{'hit':>7}{'imbalance':>11}{'mean':>10}{'p50':>10}{'p90':>10}{'p99':>10}   TTFT in seconds"
    )
    for name, outcomes in table.items():
        means = [
            statistics.fmean(getattr(one, field) for one in outcomes)
            for field in ("token_hit", "computed_imbalance", "mean", "p50", "p90", "p99")
        ]
        hit, imbalance, mean, p50, p90, p99 = means
        print(f"{name:24}{hit:7.3f}{imbalance:11.3f}{mean:10.2f}{p50:10.2f}{p90:10.2f}{p99:10.2f}")


def bars(table: dict[str, list[Outcome]], shared: float, *, even: bool) -> int:
    """The figures of the scheduling design; returns how many are missed. ``even``: the load can be."""
    mine = table[OURS]
    best = min((name for name in table if name != OURS), key=lambda name: _mean(table[name]))
    over, half = interval([a.mean / b.mean - 1 for a, b in zip(mine, table[best], strict=True)])
    hit = statistics.fmean(one.token_hit for one in mine)
    imbalance = statistics.fmean(one.computed_imbalance for one in mine)
    part = hit / shared if shared else 1.0
    lines = [
        (part >= 0.85, f"hit {hit:.3f}, one shared LRU {shared:.3f}: {part:.2f} of it (0.85)"),
        (
            over <= 0.02,
            f"mean TTFT {over:+.1%} of the best, {best}{'' if half is None else f' (± {half:.1%})'} (+2 %)",
        ),
    ]
    if "least_prefill_queue" in table:
        queue = statistics.fmean(one.p99 for one in table["least_prefill_queue"])
        p99 = statistics.fmean(one.p99 for one in mine)
        lines.append((p99 <= queue, f"p99 {p99:.2f} s, least_prefill_queue {queue:.2f} s (not above)"))
    if even:
        lines.append((imbalance <= 1.10, f"computed-token imbalance {imbalance:.3f} (1.10)"))
    for held, says in lines:
        print(f"  {'holds ' if held else 'MISSED'} {says}")
    return sum(not held for held, _ in lines)


def _mean(outcomes: list[Outcome]) -> float:
    return statistics.fmean(one.mean for one in outcomes)


if __name__ == "__main__":
    main()
