"""How long do check and build of a large policy take, and how long a check of the quickstart as a command?

    python -m benchmarks.compile [--rounds N] [--peers] [--profile] [--tenants N] [--reservations N] ...

Read + check + build of one environment, from JSON and from YAML, each in a process of its own on one
core; the same from the digest of the bundle, which must not differ. Then ``headway check
examples/quickstart`` as a process, and, with ``--peers``, broken configurations given to it and to
LiteLLM's validator.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import pstats
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import tzdata

from benchmarks.broken_configurations import compare
from benchmarks.large_policy import as_json, as_yaml, large_policy
from benchmarks.machine import ROOT, banner
from coordination.compiler.emitting import emit
from coordination.spec import SourceFile, read

AT = 1_796_083_200_000_000
"""2026-12-01, midnight UTC."""
FORMS: dict[str, Callable[[list[dict[str, object]]], list[SourceFile]]] = {"json": as_json, "yaml": as_yaml}
WANTED_S = {"json": 1.0, "yaml": 3.0}
WANTED_MB = 500
WANTED_COMMAND_MS = 300


def measure(form: str, chosen: argparse.Namespace) -> dict[str, object]:
    """One build of a fresh process, as the command does it: nothing freed but by counting references."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    files = FORMS[form](large_policy(chosen.tenants, chosen.reservations, chosen.routes))
    profiler = cProfile.Profile()
    gc.collect()
    gc.freeze()
    gc.disable()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, spent = time.perf_counter(), time.process_time()
    if chosen.profile:
        profiler.enable()
    policy_set, misread = read(files)
    understood = time.process_time()
    emitted = emit(policy_set, environment="dev", at=AT, tzdata=tzdata.IANA_VERSION)
    profiler.disable()
    if misread or emitted.bundle is None or emitted.diagnostics:
        raise SystemExit(f"the policy is not sound: {[*misread, *emitted.diagnostics][:3]}")
    ended = time.process_time()
    if chosen.profile:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(30)
    return {
        "documents": len(policy_set.documents),
        "megabytes": sum(len(file.text) for file in files) / 1e6,
        "read_s": understood - spent,
        "rest_s": ended - understood,
        "cpu_s": ended - spent,
        "wall_s": time.perf_counter() - began,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mb": held / 1024,
        "digest": emitted.bundle.digest,
        "bundle_megabytes": len(emitted.bundle.tar) / 1e6,
    }


def in_processes(form: str, chosen: argparse.Namespace) -> list[dict[str, object]]:
    """The measurement, each time in another process."""
    command = [sys.executable, "-m", "benchmarks.compile", "--one", form]
    command += ["--tenants", str(chosen.tenants), "--reservations", str(chosen.reservations)]
    command += ["--routes", str(chosen.routes), *(["--profile"] if chosen.profile else [])]
    made: list[dict[str, object]] = []
    for _ in range(chosen.rounds):
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        made.append(json.loads(ended.stdout))
    return made


def time_command(rounds: int) -> list[float]:
    """Milliseconds of ``headway check examples/quickstart``, start to exit, after one to warm the disk."""
    command = [sys.executable, "-m", "headway", "check", "examples/quickstart"]
    spent: list[float] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        spent.append((time.perf_counter() - began) * 1000)
    return spent[1:]


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks compile")
    options.add_argument("--tenants", type=int, default=10_000)
    options.add_argument("--reservations", type=int, default=5_000)
    options.add_argument("--routes", type=int, default=1_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peers", action="store_true", help="beside LiteLLM's validator, installed apart")
    options.add_argument("--profile", action="store_true")
    options.add_argument("--one", choices=list(FORMS), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen)))
        return
    print(banner())
    print(
        f"policy    {chosen.tenants:,} tenants, {chosen.reservations:,} reservations (every fifth for office"
        f" hours), {chosen.routes:,} routes and one for each model; read + check + build, CPU of one core"
    )
    digests: set[object] = set()
    for form in FORMS:
        rounds = in_processes(form, chosen)
        digests.update(one["digest"] for one in rounds)
        best = min(rounds, key=lambda one: float(str(one["cpu_s"])))
        middle = statistics.median(float(str(one["cpu_s"])) for one in rounds)
        print(
            f"{form:<9} {middle:.2f} s (best {best['cpu_s']:.2f}: read {best['read_s']:.2f}, check and build"
            f" {best['rest_s']:.2f}; wall {best['wall_s']:.2f}), wanted < {WANTED_S[form]:.0f} s;"
            f" {best['documents']:,} documents, {best['megabytes']:.1f} MB;"
            f" memory {best['rss_mb']:.0f} MB ({best['before_mb']:.0f} before), wanted < {WANTED_MB} MB"
        )
    print(f"digest    {'the same of each' if len(digests) == 1 else f'DIFFERS: {digests}'}")
    spent = time_command(max(5, chosen.rounds))
    print(
        f"command   `headway check examples/quickstart` {statistics.median(spent):.0f} ms"
        f" (best {min(spent):.0f} ms), wanted < {WANTED_COMMAND_MS} ms"
    )
    if chosen.peers:
        compare()
    raise SystemExit(0 if len(digests) == 1 else 1)


if __name__ == "__main__":
    main()
