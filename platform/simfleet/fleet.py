"""A fleet of simulated replicas in one process: each its own listener, all on one event loop.

Tests use it as ``async with running(replicas=2) as fleet: fleet.urls[0]``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simfleet.replica import Replica, ReplicaSettings


class PortTaken(Exception):
    """A listener could not be opened; the message says which and what to do."""


@dataclass(slots=True)
class Fleet:
    """Replicas that listen. Create with ``start``; ``running`` also stops it."""

    replicas: list[Replica] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        return [replica.url for replica in self.replicas]

    async def stop(self) -> None:
        """Reset every connection and close every listener."""
        for replica in self.replicas:
            replica.die()
        await asyncio.sleep(0)  # connections learn that they are lost


async def start(*, replicas: int, base_port: int = 0, settings: ReplicaSettings | None = None) -> Fleet:
    """Open ``replicas`` listeners on consecutive ports (base port 0: any ports). Raises ``PortTaken``."""
    settings = settings or ReplicaSettings()
    fleet = Fleet()
    for number in range(replicas):
        replica = Replica(number, settings, fleet.replicas)
        port = base_port + number if base_port else 0
        try:
            await replica.listen(port)
        except OSError as error:
            await fleet.stop()
            raise PortTaken(
                f"cannot listen on {settings.host}:{port}: {error.strerror or error}. "
                "Another process may hold the port: end it, or choose another --base-port."
            ) from error
        fleet.replicas.append(replica)
    return fleet


@asynccontextmanager
async def running(
    *, replicas: int = 1, base_port: int = 0, settings: ReplicaSettings | None = None
) -> AsyncIterator[Fleet]:
    """A fleet for the length of a block."""
    fleet = await start(replicas=replicas, base_port=base_port, settings=settings)
    try:
        yield fleet
    finally:
        await fleet.stop()
