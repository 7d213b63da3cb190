"""How many requests a second does a simulation serve on one core, and does its memory grow with the trace?

    python -m benchmarks.simulate [--rounds N] [--profile]

The Mooncake conversation trace on eight replicas of Llama-3-70B with full policy work: three tiers, ten
tenants with weights and limits, a reservation, prices. Beside it, in the same run, the bare decisions of
``benchmarks.decision``: the ratio says what the virtual fleet costs, whatever the machine is busy with.
``headway simulate --against`` is timed from its start to its report, a process for each of the two policies.
Memory is the peak of a process that simulates drawn traffic of one length, and of ten times that length.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks import decision
from benchmarks.machine import banner
from benchmarks.policy import with_placement
from coordination.bundle.pack import pack
from coordination.program.canonical import sha256_digest
from coordination.program.index import Program, load
from coordination.program.records import ProgramRecords
from coordination.program.source_map import SourceMap
from coordination.scheduling import new_state
from coordination.simulator import (
    Settings,
    Simulation,
    Traffic,
    Workload,
    calm_collector,
    even_mix,
    from_trace,
    generate,
)
from coordination.traces import read_trace
from tests.support.programs import MINUTE, SECOND, START, a_policy, limit

TRACE = "mooncake_conversation_trace.jsonl"
TRACES_VARIABLE = "HEADWAY_TRACES"
PROFILE = "llama-3-70b-h100-tp4"
WANTED = 20_000
WANTED_SECONDS = 3.0
"""For two policies under one hour, from the command line."""
SHORT, LONG = 5_000, 50_000


def policy(replicas: int = 8) -> ProgramRecords:
    """Three tiers, ten tenants, a reservation: what full policy work means here."""
    built = a_policy().model("llama")
    built.pool(
        model="llama",
        replicas=replicas,
        input_per_minute=780_000,
        output_per_minute=230_000,
        kv_tokens=430_080,
    )
    built.tier("priority", band=300, max_wait=30 * SECOND)
    built.tier("standard", band=200, max_wait=60 * SECOND)
    built.tier("flex", band=100, max_wait=10 * MINUTE)
    built.route().prices(("llama", 0, 100, 10, 400))
    for number in range(10):
        name = f"t{number}"
        built.tenant(name, default_tier=("priority", "standard", "flex")[number % 3])
        built.quota(
            f"q-{name}",
            name,
            limit("total_tokens", "1m", 10**9),
            weight=1 + number % 4,
            concurrency=10**5,
        )
    built.reservation("held", "t0", tier="priority", input_per_minute=600_000, output_per_minute=40_000)
    return patient(built.records())


def patient(records: ProgramRecords) -> ProgramRecords:
    """On 70B replicas, with timeouts that a prompt of 100,000 tokens keeps."""
    pools = tuple(msgspec.structs.replace(pool, profile=PROFILE) for pool in records.pools)
    routes = tuple(
        msgspec.structs.replace(
            route,
            timeouts=msgspec.structs.replace(route.timeouts, first_byte=10 * MINUTE, total=30 * MINUTE),
        )
        for route in records.routes
    )
    return msgspec.structs.replace(records, pools=pools, routes=routes)


def simulated(program: Program, trace: Path) -> Simulation:
    arrivals = from_trace(read_trace(trace), even_mix(program), speed=1.0, seed=1)
    return Simulation(program, arrivals, Settings()).run()


def bare_decisions(requests: int) -> float:
    """CPU seconds of admit + dispatch + first_byte + settle for as many requests, replicas and tenants."""
    program = decision.policy(10, 8)
    load_ = decision.requests(requests, 10, 24, seed=7)
    state = new_state(program, route_salt="salt", seed=1, now=START)
    began = time.process_time()
    decision.run(program, state, load_, in_flight=4)
    return time.process_time() - began


def drawn(requests: int) -> None:
    """Simulate traffic of our own: what a child process does, to be weighed."""
    program = load(policy())
    clients = tuple(
        Traffic(tenant=f"t{n}", sessions_per_second=0.4, turns=3.0, families=3, prompt_tokens=2000)
        for n in range(10)
    )
    workload = Workload(clients=clients, requests=requests)
    simulation = Simulation(program, generate(workload, model="llama", seed=1), Settings()).run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{requests:8,} requests drawn: {simulation.tally.total().completed:,} completed, peak {peak:.0f} MB"
    )


def compared(trace: Path, rounds: int) -> None:
    """Wall clock and processor time of the command that holds two policies against each other."""
    headway = Path(sys.executable).with_name("headway")
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "balanced.tar"), Path(folder, "in-turn.tar")]
        for file, records in zip(files, (policy(), with_placement(policy(), "round_robin")), strict=True):
            digest = sha256_digest(file.name.encode())
            bundle = pack(
                *(records, SourceMap.of([]), ()), root_tree=digest, compiler="benchmark", tzdata="benchmark"
            )
            file.write_bytes(bundle.tar)
        told = ("--trace", str(trace), "--against", str(files[1]), "--format", "json")
        command = [str(headway), "simulate", str(files[0]), *told]
        walls, used = [], []
        for _ in range(rounds):
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            walls.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(
        f"compared   {statistics.median(walls):.2f} s from the command line (median of {rounds}, quickest "
        f"{min(walls):.2f}; wanted {WANTED_SECONDS:g}), {statistics.median(used):.2f} s of processor time"
    )


def main() -> None:
    """Exit code 1 if the rate wanted was not reached."""
    options = argparse.ArgumentParser(prog="python -m benchmarks simulate")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--profile", action="store_true")
    options.add_argument("--drawn", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.drawn:
        drawn(chosen.drawn)
        return
    trace = Path(os.environ.get(TRACES_VARIABLE, "")) / TRACE
    print(banner())
    if not trace.exists():
        print(f"skipped: no {TRACE}; set {TRACES_VARIABLE} to the folder that holds it")
        return
    program = load(policy())
    with calm_collector():
        if chosen.profile:
            profiler = cProfile.Profile()
            profiler.runcall(simulated, program, trace)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
            return
        rates, ratios = [], []
        for _ in range(chosen.rounds):
            began = time.process_time()
            found = simulated(program, trace)
            took = time.process_time() - began
            bare = bare_decisions(found.arrived)
            rates.append(found.arrived / took)
            ratios.append(took / bare)
    steps = sum(replica.steps for replica in found.replicas.values())
    total = found.tally.total()
    print(
        f"{found.arrived:,} requests, {total.completed:,} completed, {steps:,} engine steps, "
        f"{(found.now - found.start) / SECOND:,.0f} s simulated"
    )
    print(
        f"simulated  {statistics.median(rates):8,.0f} requests/s (median of {chosen.rounds}), "
        f"quickest {max(rates):,.0f}; wanted {WANTED:,}"
    )
    print(f"           {statistics.median(ratios):.2f}x the CPU of the bare decisions for as many requests")
    compared(trace, chosen.rounds)
    for requests in (SHORT, LONG):
        command = [sys.executable, "-m", "benchmarks.simulate", "--drawn", str(requests)]
        subprocess.run(command, check=True)
    if max(rates) < WANTED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
