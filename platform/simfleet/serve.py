"""How does the fleet run as a process? Until SIGTERM or SIGINT; it says where it listens once it does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import orjson

from simfleet.fleet import Fleet, start
from simfleet.replica import ReplicaSettings


async def serve(
    *,
    replicas: int,
    base_port: int,
    settings: ReplicaSettings,
    ready_file: Path | None = None,
    on_ready: Callable[[Fleet], None] = lambda _fleet: None,
) -> None:
    """Run a fleet until told to stop. Raises ``PortTaken``; removes ``ready_file`` at the end."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    # Installed explicitly: a process started in the background ignores SIGINT.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    fleet = await start(replicas=replicas, base_port=base_port, settings=settings)
    try:
        if ready_file is not None:
            _announce(ready_file, fleet)
        on_ready(fleet)
        await stopped.wait()
    finally:
        if ready_file is not None:
            _withdraw(ready_file)
        await fleet.stop()


def _announce(path: Path, fleet: Fleet) -> None:
    """Write the ready file whole or not at all, so that a reader never sees half of it."""
    told = {"pid": os.getpid(), "replicas": [{"url": url} for url in fleet.urls]}
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(orjson.dumps(told))
    draft.replace(path)


def _withdraw(path: Path) -> None:
    path.unlink(missing_ok=True)
