"""``headway simulate``: what would this policy have done with that traffic, and would another do better?"""

from __future__ import annotations

import enum
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from coordination.bundle.pack import unpack
from coordination.bundle.refusals import RefusedError
from coordination.capacity import Profile
from coordination.program.index import load
from coordination.program.records import ProgramRecords
from coordination.program.shards import PROGRAM, MalformedProgramError, decode
from coordination.simulator import (
    Client,
    MadeOfError,
    Mix,
    Promise,
    Settings,
    Study,
    WorkloadError,
    calm_collector,
    carried_by,
    compare,
    even_mix,
    gates_of,
    interval,
    made_of,
    objectives_of,
    simulate,
    verdict_of,
)
from coordination.simulator.comparing import FIGURES
from coordination.simulator.searching import SearchError, find, read_objective, sweep
from coordination.traces import TraceError
from headway.cli.artefacts import DOCUMENTS, CouldNotRun, read_file, reporting, write_file
from headway.cli.profiles import profile_in
from headway.cli.simulate_text import render, render_study
from headway.cli.terminal import wants_progress
from headway.cli.words import Argument, Option

INTERRUPTED = 130


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


def command(
    path: Annotated[str, Argument(help="A policy set (file, folder or - for stdin) or a bundle.")],
    trace: Annotated[Path, Option(help="Mooncake JSONL, Azure CSV, or a .json describing traffic.")],
    against: Annotated[str, Option(help="Another policy set or bundle: same arrivals.")] = "",
    speed: Annotated[float, Option(min=0.001, help="How many times as fast as recorded.")] = 1.0,
    seed: Annotated[int, Option(min=0, help="Draws clients, canary arms and retry times.")] = 1,
    seeds: Annotated[int, Option(min=1, max=1000, help="Simulate with so many seeds in a row.")] = 1,
    limit: Annotated[int | None, Option(min=1, help="Requests of the trace (default: all).")] = None,
    mix: Annotated[
        list[str] | None,
        Option(help="TENANT[:SERVICE_TIER][=WEIGHT], repeated (default: every tenant alike)."),
    ] = None,
    model: Annotated[str | None, Option(help="Model to ask for (default: the policy's first).")] = None,
    host_tokens: Annotated[int, Option(min=0, help="KV tokens each replica also keeps in host memory.")] = 0,
    profile: Annotated[
        list[str] | None,
        Option(help="[POOL=]FILE of `headway calibrate`, repeated: what replicas of that pool are."),
    ] = None,
    environment: Annotated[str, Option(help="The environment to compile for.")] = "dev",
    at: Annotated[str, Option(help="Start, RFC 3339; by default today 00:00Z.")] = "",
    output: Annotated[OutputFormat, Option("--format", help="How to print.")] = OutputFormat.text,
    sweep_: Annotated[
        str, Option("--sweep", help="KNOB=A,B,C: replicas[:POOL], speed, host_tokens, release_after.")
    ] = "",
    find_: Annotated[
        str, Option("--find", help="replicas or replicas:POOL: the least that keep --objective.")
    ] = "",
    objective: Annotated[
        str, Option(help="Such as `priority.ttft.p95<=2s` (tier optional) or `refused<=1%`.")
    ] = "",
    html: Annotated[Path | None, Option(help="Write one self-contained page of plots too.")] = None,
) -> None:
    """Simulate a policy under a recorded trace; with --against, two policies under the same arrivals.

    Gates that Expectations set under `simulate:` must hold, under every seed. --sweep turns one number and
    tells what moves; --find looks for the smallest fleet. Exit code: 0 simulated, 1 the policy has mistakes,
    a gate fails or no fleet keeps the objective, 2 could not run, 130 stopped.
    """
    began = time.perf_counter()
    with reporting("simulate"):
        try:
            settings = Settings(seed, host_tokens)
            made = [_made_of(one) for one in profile or ()]
            studies = [
                _study(
                    _compiled(one, environment, at),
                    one,
                    trace,
                    mix or [],
                    model,
                    speed,
                    limit,
                    settings,
                    made,
                )
                for one in ([path, against] if against else [path])
            ]
            if sweep_ or find_:
                if against or seeds > 1 or html or (sweep_ and find_) or bool(find_) != bool(objective):
                    raise CouldNotRun(
                        "either --sweep, or --find with --objective; no --against, --seeds, --html"
                    )
                told = _swept(studies[0], sweep_) if sweep_ else _found(studies[0], find_, objective)
                print(json.dumps(told, indent=2) if output is OutputFormat.json else render_study(told))
                raise SystemExit(1 if told.get("found", 0) is None else 0)
            jobs = [study.with_seed(seed + n) for study in studies for n in range(seeds)]
            with calm_collector():
                reports = _simulated(jobs)
        except (TraceError, WorkloadError, SearchError) as problem:
            raise CouldNotRun(_where(trace, problem)) from None
        except KeyboardInterrupt:
            print("headway simulate: stopped", file=sys.stderr)
            raise SystemExit(INTERRUPTED) from None
        told = _told(reports[:seeds], reports[seeds:], time.perf_counter() - began)
        if html is not None:
            from headway.cli.simulate_page import page  # lazy: plotly takes a third of a second

            write_file(html, page(told).encode())
    print(json.dumps(told, indent=2) if output is OutputFormat.json else render(told))
    raise SystemExit(0 if told["verdict"] != "fails" else 1)


def _where(trace: Path, problem: Exception) -> str:
    """Only a described workload's error does not say yet where it is."""
    return f"{trace}: {problem}" if isinstance(problem, WorkloadError) else str(problem)


def _told(ours: list[dict[str, Any]], others: list[dict[str, Any]], wall: float) -> dict[str, Any]:
    """The first seed's report, and beside it what other seeds and the other policy came to."""
    told = {**ours[0], "wall_seconds": round(wall, 3)}
    told["verdict"] = verdict_of(ours)
    if len(ours) > 1:
        told["seeds"] = _spread(ours)
    if others:
        told["against"] = others[0]
        told["difference"] = compare(ours, others)
    return told


def _spread(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Each figure over the seeds: mean, and half the width of its 95 % interval."""
    told: dict[str, Any] = {"count": len(reports)}
    for name, figure in FIGURES.items():
        values = [value for one in reports if (value := figure(one)) is not None]
        if values:
            mean, half = interval(values)
            told[name] = {"mean": round(mean, 6), "plus_minus": None if half is None else round(half, 6)}
    return told


def _swept(study: Study, text: str) -> dict[str, Any]:
    """A report for each value of a knob, on the same arrivals but for the pace."""
    knob, _, listed = text.partition("=")
    try:
        values = [float(value) for value in listed.split(",")]
    except ValueError:
        raise CouldNotRun(f"--sweep {text}: not KNOB=A,B,C") from None
    with calm_collector():
        reports = _simulated(list(sweep(study, knob, values)))
    return {"sweep": knob, "tried": [_line(*one) for one in zip(values, reports, strict=True)]}


def _found(study: Study, knob: str, text: str) -> dict[str, Any]:
    """The least that keeps the objective, and every step of the search."""
    objective = read_objective(text)
    if knob.partition(":")[0] != "replicas":
        raise CouldNotRun(f"--find {knob}: only replicas or replicas:POOL can be found")
    with calm_collector():
        least, tried = find(study, knob, objective, lambda one: _simulated([one])[0])
    lines = [
        {**_line(number, one), "objective": objective.value(one), "holds": objective.holds(one)}
        for number, one in tried
    ]
    return {"find": knob, "objective": text, "found": least, "tried": lines}


def _line(value: float, report: dict[str, Any]) -> dict[str, Any]:
    """What a study shows of one of its simulations."""
    figures = {name: figure(report) for name, figure in FIGURES.items()}
    return {"value": value, "figures": figures, "inputs": report["inputs"]["digest"]}


# Inputs


def _study(
    policy: Policy,
    path: str,
    trace: Path,
    mix: Sequence[str],
    model: str | None,
    speed: float,
    limit: int | None,
    settings: Settings,
    made: Sequence[tuple[str, Profile]],
) -> Study:
    records = policy.records
    program = load(records)
    if not records.models or not records.tenants or not records.pools:
        raise CouldNotRun(f"{path}: a simulation needs a model, a pool and a tenant")
    profiles = _profiles(records, path, made)
    settings = replace(settings, profiles=tuple(sorted(profiles.items())))
    if model is not None and model not in program.models_by_client_name:
        raise CouldNotRun(f"--model {model}: {path} has no such model")
    given = even_mix(program, model)
    if mix:
        clients = tuple(_client(one) for one in mix)
        for client in clients:
            if client.tenant not in program.tenants:
                raise CouldNotRun(f"--mix: {path} has no tenant {client.tenant}")
        try:
            given = Mix(clients, given.model)
        except ValueError as problem:
            raise CouldNotRun(f"--mix: {problem}") from None
    return Study(records, trace, given, speed, limit, settings, policy.objectives, policy.gates)


def _made_of(text: str) -> tuple[str, Profile]:
    """``chat=mine.json``, or ``mine.json`` for the pools that name its profile."""
    pool, equals, file = text.partition("=")
    return (pool, profile_in(file)) if equals else ("", profile_in(text))


def _profiles(records: ProgramRecords, path: str, made: Sequence[tuple[str, Profile]]) -> dict[str, Profile]:
    """By pool; raises ``CouldNotRun`` for one that there is not, or that no pool is of."""
    try:
        return made_of(records, made)
    except MadeOfError as problem:
        if problem.at is None:
            raise CouldNotRun(f"{path}: {problem}; its file: --profile FILE") from None
        pool = made[problem.at][0]
        option = f"--profile {pool}=...: {problem}" if pool else f"--profile: {problem}; say which: POOL=FILE"
        raise CouldNotRun(option) from None


def _client(text: str) -> Client:
    """``acme``, ``acme:priority``, ``acme/team=3``, ``acme:priority=3``."""
    name, _, weight = text.partition("=")
    tenant, _, tier = name.partition(":")
    if not tenant or (weight and not weight.isdecimal()):
        raise CouldNotRun(f"--mix {text}: not TENANT[:SERVICE_TIER][=WEIGHT]")
    return Client(tenant, tier or None, int(weight or 1))


class Policy(NamedTuple):
    """What is simulated, and what was promised of it; a bundle carries what is counted, and no gates."""

    records: ProgramRecords
    objectives: tuple[Promise, ...] = ()
    gates: tuple[Promise, ...] = ()


def _compiled(path: str, environment: str, at: str) -> Policy:
    """From documents or a bundle; with mistakes, prints them and ends the command."""
    file = Path(path)
    if file.is_file() and file.suffix not in DOCUMENTS:
        try:
            carried = decode(unpack(read_file(file)).under(PROGRAM))
            return Policy(carried, carried_by(carried))
        except (RefusedError, MalformedProgramError) as error:
            raise CouldNotRun(f"{path}: {error}") from None
    # Lazy: a bundle needs no compiler, and loading that takes as long as all else a simulation loads.
    from coordination.compiler import build
    from coordination.compiler.catalogue import Catalogue
    from coordination.diagnostics import in_reading_order, render_text
    from coordination.spec import read
    from headway.cli import check

    try:
        instant = check.instant_of(at)
        files = check.load_files(path)
    except check.CouldNotRun as problem:
        raise CouldNotRun(str(problem)) from None
    policy_set, misread = read(files)
    records, _, _, diagnostics = build(policy_set, environment=environment, at=instant)
    found = in_reading_order([*misread, *diagnostics])
    if records is None or not check.is_ok(found, strict=False):
        print(render_text(found, policy_set.texts, colour=False), end="", file=sys.stderr)
        raise SystemExit(1)
    catalogue = Catalogue(policy_set, environment, instant)
    return Policy(records, objectives_of(catalogue), gates_of(catalogue))


# Work


def _simulated(jobs: list[Study]) -> list[dict[str, Any]]:
    """Reports in the order of the jobs: here if there is one, else in a process for each core."""
    next(jobs[0].arrivals())  # an unreadable trace is told before anything else
    shown = wants_progress()
    if len(jobs) == 1:
        report = simulate(jobs[0], _progress if shown else None)
        _clear(shown)
        return [report]
    found: dict[int, dict[str, Any]] = {}
    workers = min(len(jobs), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        futures = {pool.submit(simulate, job): position for position, job in enumerate(jobs)}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            if shown:
                print(f"\r{len(found)} of {len(jobs)} simulations\033[K", end="", file=sys.stderr, flush=True)
    _clear(shown)
    return [found[position] for position in range(len(jobs))]


def _progress(arrived: int, simulated_us: int) -> None:
    print(
        f"\r{arrived} requests, {simulated_us / 60_000_000:.1f} simulated minutes\033[K",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _clear(shown: bool) -> None:
    if shown:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
