"""``headway simfleet``: run simulated replicas that speak the OpenAI API."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import orjson
import uvloop

from coordination.capacity import PROFILES
from headway.cli.artefacts import reporting
from headway.cli.profiles import profile_of
from headway.cli.words import Option
from simfleet.fleet import Fleet, PortTaken
from simfleet.replica import ReplicaSettings
from simfleet.serve import serve


def command(
    replicas: Annotated[int, Option(min=1, max=256, help="How many replicas.")] = 8,
    base_port: Annotated[
        int,
        Option("--base-port", "--port", min=0, max=65535, help="Port of the first; 0 takes any free ports."),
    ] = 8101,
    model: Annotated[str, Option(help="Model name the replicas answer to.")] = "llama-3-8b",
    profile: Annotated[
        str, Option(help=f"What a replica is: {', '.join(PROFILES)}, or a file of `headway calibrate`.")
    ] = "llama-3-8b-h100-tp1",
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    max_model_len: Annotated[
        int, Option(min=1, help="Prompt and output tokens of one request, at most.")
    ] = 131_072,
    stream_interval: Annotated[int, Option(min=1, help="Tokens per write of a stream after the first.")] = 1,
    speed: Annotated[
        float, Option(min=0.01, max=1000.0, help="Engines run this many times faster than modelled.")
    ] = 1.0,
    ready_file: Annotated[
        Path | None, Option(help="Write {pid, replicas: [{url}]} here once every replica listens.")
    ] = None,
) -> None:
    """Run simulated replicas in one process, each on its own port, until SIGTERM or Ctrl-C."""
    with reporting("simfleet"):
        made = profile_of(profile)
    if base_port and base_port + replicas - 1 > 65535:
        _fail(f"{replicas} ports from {base_port} on reach past 65535: choose a lower --base-port")
    if ready_file is not None and not ready_file.parent.is_dir():
        _fail(f"cannot write {ready_file}: there is no folder {ready_file.parent}")
    settings = ReplicaSettings(
        model=model,
        profile=made,
        host=host,
        max_model_len=max_model_len,
        stream_interval=stream_interval,
        speed=speed,
    )

    def ready(fleet: Fleet) -> None:
        told = {
            "event": "simfleet.ready",
            "pid": os.getpid(),
            "model": model,
            "profile": made.name,
            "urls": fleet.urls,
        }
        print(orjson.dumps(told).decode(), flush=True)

    try:
        uvloop.run(
            serve(
                replicas=replicas,
                base_port=base_port,
                settings=settings,
                ready_file=ready_file,
                on_ready=ready,
            )
        )
    except PortTaken as problem:
        _fail(str(problem))


def _fail(message: str) -> None:
    print(f"headway simfleet: {message}", file=sys.stderr)
    raise SystemExit(2)
