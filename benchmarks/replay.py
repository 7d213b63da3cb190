"""Does placement by cache and load pay on real arrivals? One trace, two policies, cold caches each time.

The first requests of the Mooncake conversation trace go through a gateway and eight simulated replicas,
once with ``balanced`` and once with ``round_robin`` placement: the same requests at the same instants
from the same tenants. Quotas are set far off, so that both serve the same work. What is compared is the
engines' own count of cached prompt tokens.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import policy, stack
from benchmarks.machine import banner
from benchmarks.processes import spent
from coordination.program.records import PlacementStrategy
from coordination.traces import BLOCK_TOKENS, read_trace

TRACE = "mooncake_conversation_trace.jsonl"
TRACES_VARIABLE = "HEADWAY_TRACES"
REPLICAS = 8
STRATEGIES: tuple[PlacementStrategy, ...] = ("balanced", "round_robin")
WANTED_RATIO = 1.5
SPARE_S = 300.0
"""How long after the last arrival answers may still take."""


class CouldNotReplay(Exception):
    """``headway replay`` ended without a summary; the message holds its last words."""


def replayed(strategy: PlacementStrategy, trace: Path, limit: int, speed: float) -> dict[str, Any]:
    """One replay over fresh processes: ``headway replay``'s summary, and what the processes took for it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with stack.fleet(REPLICAS, folder) as replicas:
            records = policy.with_far_limits(policy.over_replicas(policy.quickstart(), replicas.urls))
            keys = policy.write_state(policy.with_placement(records, strategy), folder / "state")
            keys_file = folder / "keys.json"
            tenants = [{"name": tenant, "api_key": key} for tenant, key in keys.items()]
            keys_file.write_text(json.dumps({"tenants": tenants}))
            with stack.gateway(folder / "state", folder) as served:
                command = [sys.executable, "-m", "headway", "replay", str(trace), "--target", served.url]
                command += ["--keys", str(keys_file), "--format", "json", "--timeout", str(SPARE_S)]
                command += ["--limit", str(limit), "--speed", str(speed)]
                ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
                if ended.returncode not in (0, 1):
                    raise CouldNotReplay(f"headway replay ended with {ended.returncode}")
                summary: dict[str, Any] = json.loads(ended.stdout)
                for name, process in (("gateway", served.process), ("fleet", replicas.process)):
                    used = spent(process.pid)
                    summary[f"{name}_cpu_s"], summary[f"{name}_rss_mb"] = used.cpu_s, used.rss_mb
                return summary


def endless_share(trace: Path, limit: int) -> float:
    """Part of the prompt tokens that one cache of no limit would have seen before: the bound."""
    seen: set[int] = set()
    known = total = 0
    for request in itertools.islice(read_trace(trace), limit):
        hit = sum(1 for _ in itertools.takewhile(seen.__contains__, request.blocks))
        known += min(hit * BLOCK_TOKENS, request.input_tokens)
        total += request.input_tokens
        seen.update(request.blocks)
    return known / total


def described(strategy: str, summary: dict[str, Any]) -> str:
    """One replay in a few lines: every request accounted for."""
    refused = ", ".join(f"{count} {code}" for code, count in summary["refused"].items()) or "none"
    interrupted = ", ".join(f"{count} {code}" for code, count in summary["interrupted"].items())
    ttft = summary["ttft_ms"] or dict.fromkeys(("mean", "p50", "p90", "p99"), float("nan"))
    lines = [
        f"{strategy}: {summary['requests']} requests, {summary['completed']} answered, "
        f"refused: {refused}, lost: {summary['lost']}",
        f"  cached {summary['cached_share']:.4f} of {summary['prompt_tokens']:,} prompt tokens",
        f"  TTFT ms: mean {ttft['mean']:.0f}, p50 {ttft['p50']:.0f}, "
        f"p90 {ttft['p90']:.0f}, p99 {ttft['p99']:.0f}",
        f"  {summary['elapsed_s']:.0f} s; gateway {summary['gateway_cpu_s']:.1f} CPU-s, "
        f"{summary['gateway_rss_mb']:.0f} MB; fleet {summary['fleet_cpu_s']:.1f} CPU-s; "
        f"sent {summary['send_lag_ms']['p99']:.1f} ms late (p99)",
    ]
    if interrupted:
        lines.append(f"  interrupted: {interrupted}")
    lines += [f"  lost {count}: {why}" for why, count in summary["lost_because"].items()]
    return "\n".join(lines)


def main() -> None:
    """Exit code 1 if a request was lost or balanced placement did not reach its ratio."""
    options = argparse.ArgumentParser(prog="python -m benchmarks replay")
    options.add_argument("--limit", type=int, default=2000)
    options.add_argument("--speed", type=float, default=4.0)
    options.add_argument("--trace", type=Path, help=f"default: {TRACE} in the folder {TRACES_VARIABLE} names")
    chosen = options.parse_args()
    trace: Path = chosen.trace or Path(os.environ.get(TRACES_VARIABLE, "")) / TRACE
    print(banner())
    if not trace.exists():
        print(f"skipped: no {trace.name}; set {TRACES_VARIABLE} to the folder that holds it, or give --trace")
        return
    print(
        f"setup     first {chosen.limit} requests of {trace.name} at speed {chosen.speed:g}, "
        f"quickstart policy with far limits, {REPLICAS} simulated replicas in 2 pools, cold caches\n"
        f"          one cache without end would hold {endless_share(trace, chosen.limit):.4f} of their tokens"
    )
    summaries = {}
    for strategy in STRATEGIES:
        summaries[strategy] = replayed(strategy, trace, chosen.limit, chosen.speed)
        print(described(strategy, summaries[strategy]), flush=True)
    balanced, spread = (summaries[strategy]["cached_share"] for strategy in STRATEGIES)
    ratio = balanced / spread if spread else float("inf")
    lost = sum(summary["lost"] for summary in summaries.values())
    print(f"cached share: {ratio:.2f}x round robin's (wanted: {WANTED_RATIO}x); {lost} lost")
    if lost or ratio < WANTED_RATIO:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
