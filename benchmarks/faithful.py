"""Does a simulation say what really happens? The same trace through the real gateway, second by second.

    python -m benchmarks.faithful [--limit 500] [--trace FILE]

The first requests of the Mooncake conversation trace at their own pace: once through `headway gateway` and
eight simulated replicas in real time, once through the simulator under the very same compiled policy. The
engines' model is shared, their schedulers and caches are not: the fleet's goes step by step over words it
tokenises itself, behind sockets, and the gateway estimates prompt lengths. What is compared is the time to
the first token: the median within 10 %, the 95th percentile within 20 %.
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

import msgspec

from benchmarks import policy, stack
from benchmarks.machine import banner
from benchmarks.simulate import PROFILE, TRACE, TRACES_VARIABLE, patient
from coordination.program.index import load
from coordination.program.records import ProgramRecords
from coordination.simulator import Mix, Settings, Simulation, even_mix, from_trace, report
from coordination.traces import read_trace
from tests.support.programs import MINUTE, a_policy

REPLICAS = 8
BARS = {"p50": 0.10, "p95": 0.20}


def records(urls: list[str]) -> ProgramRecords:
    """One tenant and one tier, so that both sides send the same requests in the same name."""
    built = a_policy().model("llama")
    built.pool(
        model="llama",
        replicas=len(urls),
        input_per_minute=780_000,
        output_per_minute=230_000,
        kv_tokens=430_080,
    )
    built.tier(max_wait=60 * MINUTE, max_depth=10_000).route().tenant("acme")
    made = patient(built.records())
    pools = tuple(msgspec.structs.replace(pool, replicas=tuple(urls)) for pool in made.pools)
    return msgspec.structs.replace(made, pools=pools)


def in_real_time(trace: Path, limit: int) -> tuple[dict[str, Any], ProgramRecords]:
    """`headway replay`'s summary over fresh processes, and the policy they ran."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        options = ["--profile", PROFILE, "--model", "llama"]
        with stack.fleet(REPLICAS, folder, options) as replicas:
            compiled = records(replicas.urls)
            keys = policy.write_state(compiled, folder / "state")
            keys_file = folder / "keys.json"
            tenants = [{"name": tenant, "api_key": key} for tenant, key in keys.items()]
            keys_file.write_text(json.dumps({"tenants": tenants}))
            with stack.gateway(folder / "state", folder) as served:
                command = [sys.executable, "-m", "headway", "replay", str(trace), "--target", served.url]
                command += ["--keys", str(keys_file), "--format", "json", "--limit", str(limit)]
                ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return json.loads(ended.stdout), compiled


def simulated(compiled: ProgramRecords, trace: Path, limit: int) -> dict[str, Any]:
    program = load(compiled)
    mix: Mix = even_mix(program)
    requests = itertools.islice(read_trace(trace), limit)
    arrivals = from_trace(requests, mix, speed=1.0, seed=1)
    return report(Simulation(program, arrivals, Settings()).run(), {})


def deviation(real: dict[str, Any], told: dict[str, Any], name: str) -> float:
    """How far the simulation is off the measured time to first token, as a part of it."""
    return float(told["ttft"][name] / (real["ttft_ms"][name] / 1000) - 1)


def main() -> None:
    """Exit code 1 if a bar is missed or a request was lost."""
    options = argparse.ArgumentParser(prog="python -m benchmarks faithful")
    options.add_argument("--limit", type=int, default=500)
    options.add_argument("--trace", type=Path, help=f"default: {TRACE} in the folder {TRACES_VARIABLE} names")
    chosen = options.parse_args()
    trace: Path = chosen.trace or Path(os.environ.get(TRACES_VARIABLE, "")) / TRACE
    print(banner())
    if not trace.exists():
        print(f"skipped: no {trace.name}; set {TRACES_VARIABLE} to the folder that holds it, or give --trace")
        return
    real, compiled = in_real_time(trace, chosen.limit)
    told = simulated(compiled, trace, chosen.limit)
    print(
        f"{chosen.limit} requests on {REPLICAS} replicas of {PROFILE}, "
        f"sent {real['send_lag_ms']['p99']:.1f} ms late (p99)\n"
        f"real:      {real['completed']} completed, {real['lost']} lost, cached {real['cached_share']:.3f}\n"
        f"simulated: {told['completed']} completed, cached {told['cache']['token_hit']:.3f}"
    )
    missed = real["lost"]
    for name in ("mean", "p50", "p90", "p95", "p99"):
        measured, said = real["ttft_ms"][name] / 1000, told["ttft"][name]
        off = deviation(real, told, name)
        bar = BARS.get(name)
        held = "" if bar is None else f"  {'holds' if abs(off) <= bar else 'MISSED'} (within {bar:.0%})"
        missed += bar is not None and abs(off) > bar
        print(f"TTFT {name:5} real {measured:7.3f} s  simulated {said:7.3f} s  {off:+6.1%}{held}")
    if missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
