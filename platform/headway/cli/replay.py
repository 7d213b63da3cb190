"""How does a gateway stand up to a recorded hour of traffic? ``headway replay``."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import uvloop

from coordination.traces import TraceError, read_trace
from headway.cli.terminal import wants_progress
from headway.cli.words import Argument, Option
from simfleet.workload.client import Client, ExchangeFailed, Target
from simfleet.workload.keys import Keys, KeysUnreadable, TenantKey, read_keys
from simfleet.workload.replay import ReplayPlan, replay
from simfleet.workload.summary import Summary, render

DEMO_KEYS = Path("var/demo.json")
KEY_VARIABLE = "HEADWAY_API_KEY"

LOST = 1
COULD_NOT_RUN = 2
INTERRUPTED = 130


class OutputFormat(enum.StrEnum):
    text = "text"
    json = "json"


class CouldNotRun(Exception):
    """The replay cannot start: the message says why and what to do."""


def command(
    trace: Annotated[Path, Argument(help="Mooncake JSONL or Azure CSV.")],
    target: Annotated[str, Option(help="The gateway, e.g. http://127.0.0.1:8080.")],
    speed: Annotated[float, Option(min=0.001, help="Trace seconds per second.")] = 1.0,
    limit: Annotated[int | None, Option(min=1, help="Requests to send (default: all).")] = None,
    tenants: Annotated[str, Option(help="Tenants to spread requests over, a,b (default: all keys).")] = "",
    keys: Annotated[
        Path | None,
        Option(help=f"Keys file (default: ${KEY_VARIABLE}, else {DEMO_KEYS})."),
    ] = None,
    model: Annotated[str | None, Option(help="Model to ask for (default: the first served).")] = None,
    service_tier: Annotated[str | None, Option(help="service_tier to send (default: none).")] = None,
    exact_output: Annotated[
        bool, Option(help="Ask for just the trace's output length (ignore_eos, min_tokens).")
    ] = True,
    concurrency: Annotated[int, Option(min=1, help="Requests open at once, at most.")] = 1024,
    timeout: Annotated[float, Option(min=0.1, help="Seconds until a request counts as lost.")] = 300.0,
    output: Annotated[OutputFormat, Option("--format", help="How to print the summary.")] = OutputFormat.text,
) -> None:
    """Replay a request trace against a gateway, each request at its instant.

    Exit code: 0 every request was answered or refused with a code, 1 some were lost, 2 could not run,
    130 stopped by Ctrl-C (the summary so far is printed).
    """
    try:
        gateway = _gateway(target)
        held = find_keys(keys, tuple(name.strip() for name in tenants.split(",") if name.strip()))
        next(read_trace(trace))  # an unreadable trace is told before anything is sent
        summary = uvloop.run(
            _run(
                trace,
                ReplayPlan(
                    gateway,
                    held.tenants,
                    model or "",
                    speed,
                    limit,
                    concurrency,
                    timeout,
                    exact_output,
                    service_tier,
                ),
            )
        )
    except (CouldNotRun, KeysUnreadable, TraceError) as problem:
        _give_up(str(problem))
    if wants_progress():
        print("\r\033[K", end="", file=sys.stderr)  # the progress line
    if output is OutputFormat.json:
        print(msgspec.json.format(msgspec.json.encode(summary.as_json()), indent=2).decode())
    else:
        print(render(summary))
    if summary.trace_error is not None:
        _give_up(summary.trace_error)
    if summary.stopped:
        raise SystemExit(INTERRUPTED)
    raise SystemExit(LOST if summary.total.lost else 0)


def _give_up(message: str) -> NoReturn:
    print(f"headway replay: {message}", file=sys.stderr)
    raise SystemExit(COULD_NOT_RUN)


def _gateway(url: str) -> Target:
    try:
        return Target.parse(url)
    except ValueError as problem:
        raise CouldNotRun(f"--target {problem}") from problem


def find_keys(file: Path | None, names: tuple[str, ...]) -> Keys:
    """The keys to send with: ``--keys``, else the environment's one key, else the running demo's."""
    single = os.environ.get(KEY_VARIABLE)
    if file is None and single and not names:
        return Keys(None, (TenantKey(KEY_VARIABLE, single),))
    if file is None and not DEMO_KEYS.exists():
        raise KeysUnreadable(
            f"no API keys: give --keys FILE or set {KEY_VARIABLE} ({DEMO_KEYS} exists while `make run` runs)"
        )
    held = read_keys(file or DEMO_KEYS)
    return held.chosen(names) if names else held


async def _run(trace: Path, plan: ReplayPlan) -> Summary:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    served = await _served_models(plan)
    chosen = dataclasses.replace(plan, model=plan.model or served[0])
    return await replay(
        read_trace(trace), chosen, stop=stop, progress=_progress if wants_progress() else None
    )


async def _served_models(plan: ReplayPlan) -> list[str]:
    """Model names that every tenant's key may ask for. Proves address and keys before anything is sent."""
    names: list[str] = []
    async with Client(plan.target) as client:
        for tenant in plan.tenants:
            try:
                async with asyncio.timeout(plan.timeout_s):
                    answer = await client.get("/v1/models", tenant.api_key)
            except (ExchangeFailed, TimeoutError) as problem:
                raise CouldNotRun(str(problem) or f"no answer from {plan.target.authority}") from problem
            if answer.status != 200:
                raise CouldNotRun(
                    f"/v1/models with the key of {tenant.name}: {answer.status} {answer.code or ''}"
                )
            if not answer.models:
                raise CouldNotRun(f"/v1/models with the key of {tenant.name}: no model is served")
            names = [name for name in names if name in answer.models] if names else answer.models
    if not names:
        raise CouldNotRun("the tenants have no model in common")
    return names


def _progress(summary: Summary, still_open: int) -> None:
    """One line on the terminal, written over itself."""
    total = summary.total
    print(
        f"\r{len(summary.send_lag_s)} sent, {still_open} open, {total.completed} completed, "
        f"{total.refused.total() + total.interrupted.total()} refused, {total.lost} lost\033[K",
        end="",
        file=sys.stderr,
        flush=True,
    )
