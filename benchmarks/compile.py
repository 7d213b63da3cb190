"""How long do check and build of a large policy take, a check after one edit, and one as a command?

    python -m benchmarks.compile [--rounds N] [--peers] [--profile] [--tenants N] [--reservations N] ...

Read + check + build of one environment, from JSON and from YAML, each in a process of its own on one
core; the same from the digest of the bundle, which must not differ. Then the check of the same policy
after one edit of an object of each kind, begun from the check before it, as the console does while a form
is filled in. Then ``headway check examples/quickstart`` as a process, and, with ``--peers``, broken
configurations given to it and to LiteLLM's validator.
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
from coordination.compiler import checked
from coordination.compiler.emitting import emit
from coordination.spec import SourceFile, read

AT = 1_796_083_200_000_000
"""2026-12-01, midnight UTC."""
FORMS: dict[str, Callable[[list[dict[str, object]]], list[SourceFile]]] = {"json": as_json, "yaml": as_yaml}
WANTED_S = {"json": 1.0, "yaml": 3.0}
WANTED_MB = 500
WANTED_COMMAND_MS = 300
WANTED_EDIT_MS = 200


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


Edit = tuple[str, str, dict[str, object]]
EDITS: tuple[Edit, ...] = (
    ("Tenant", "org-0007/team-7", {"display_name": "Renamed"}),
    ("Tenant", "org-0007/team-new", {"tiers": ["standard"]}),
    ("Quota", "quota-00070", {"weight": 9}),
    (
        "Reservation",
        "reservation-00077",
        {"throughput": {"input": "1k tokens/min", "output": "1 tokens/min"}},
    ),
    ("Route", "route-0077", {"rank": 9}),
    ("Pool", "pool-03-us", {"reservable": "71%"}),
    ("Tier", "standard", {"band": 210}),
    ("Model", "model-00", {"max_output": "9k"}),
)
"""Kind and name, and what is written in the place of some of its fields; the second makes an object."""
TRIES = 3
"""Of each edit; its median counts, so that the garbage of all of them is not one edit's cost."""


def measure_edits(chosen: argparse.Namespace) -> dict[str, object]:
    """Milliseconds of CPU from the text of one document to all findings, by edit."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    trees = large_policy(chosen.tenants, chosen.reservations, chosen.routes, chosen.expectations)
    named = {(tree["kind"], tree["metadata"]["name"]): tree for tree in trees}
    policy_set, _ = read(as_json(trees))
    began = time.process_time()
    base = checked(policy_set, "dev", AT)
    whole = time.process_time() - began
    spent: dict[str, float] = {}
    for kind, name, fields in EDITS:
        tree = named.get((kind, name), {"apiVersion": "headway/v1", "kind": kind, "metadata": {"name": name}})
        text = json.dumps({**tree, "spec": {**tree.get("spec", {}), **fields}}).encode()
        tries: list[float] = []
        for _ in range(TRIES):
            began = time.process_time()
            edited, misread = read([SourceFile("edit.json", text)])
            after = policy_set.with_edits({(kind, name): edited.documents[0]}, broken=(), complete=True)
            found = checked(after, "dev", AT, base).diagnostics
            tries.append((time.process_time() - began) * 1000)
        spent[f"{kind} {name}"] = statistics.median(tries)
        if misread or found != checked(after, "dev", AT).diagnostics:
            raise SystemExit(f"{kind} {name}: {misread or 'found something else than a check from nothing'}")
    return {"whole_ms": whole * 1000, "edits_ms": spent}


def tell_edits(chosen: argparse.Namespace, expectations: int) -> None:
    """The median of the rounds for each edit, the slowest first."""
    rounds = in_processes("edits", chosen, expectations)
    whole = statistics.median(float(str(one["whole_ms"])) for one in rounds)
    spent: dict[str, list[float]] = {}
    for one in rounds:
        for edit, milliseconds in dict(one["edits_ms"]).items():  # type: ignore[call-overload]
            spent.setdefault(edit, []).append(milliseconds)
    middle = sorted(((statistics.median(each), edit) for edit, each in spent.items()), reverse=True)
    slowest, edit = middle[0]
    beside = f" beside {expectations} expectations" if expectations else ""
    print(
        f"edit      {slowest:.0f} ms to check again at worst ({edit}){beside}, wanted < {WANTED_EDIT_MS} ms;"
        f" a check from nothing {whole:.0f} ms"
    )
    print("          " + ", ".join(f"{edit} {milliseconds:.0f}" for milliseconds, edit in middle))


def in_processes(form: str, chosen: argparse.Namespace, expectations: int = 0) -> list[dict[str, object]]:
    """The measurement, each time in another process."""
    command = [sys.executable, "-m", "benchmarks.compile", "--one", form]
    command += ["--tenants", str(chosen.tenants), "--reservations", str(chosen.reservations)]
    command += ["--expectations", str(expectations)]
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
    options.add_argument("--expectations", type=int, default=200, help="beside which edits are checked too")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peers", action="store_true", help="beside LiteLLM's validator, installed apart")
    options.add_argument("--profile", action="store_true")
    options.add_argument("--one", choices=[*FORMS, "edits"], help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(measure_edits(chosen) if chosen.one == "edits" else measure(chosen.one, chosen)))
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
    for expectations in (0, chosen.expectations):
        tell_edits(chosen, expectations)
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
