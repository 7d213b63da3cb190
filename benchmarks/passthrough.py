"""What would a proxy cost that does nothing? It passes bytes from a client to an upstream, and back.

``python -m benchmarks.passthrough --upstreams URL... --ready-file F``: asyncio protocols on uvloop, one kept
connection upstream for each client's, no parsing at all. What the gateway costs beyond it is its own work;
what this costs is the least that any data path in this language can.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

_READ = 64 * 1024


class _End(asyncio.BufferedProtocol):
    """One side of a pair of sockets."""

    __slots__ = ("held", "other", "transport")

    buffer = memoryview(bytearray(_READ))

    def __init__(self) -> None:
        self.held: list[bytes] = []
        """What came before there was anybody to pass it to."""
        self.other: _End | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol's signature
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self.buffer[:nbytes])
        if self.other is None:
            self.held.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other is not None:
            self.other.transport.close()


async def _serve(upstreams: Sequence[str], ready_file: Path) -> None:
    loop = asyncio.get_running_loop()
    targets = cycle([(parts.hostname or "", parts.port or 80) for parts in map(urlsplit, upstreams)])
    joining: set[asyncio.Task[None]] = set()

    async def join(client: _End) -> None:
        _, upstream = await loop.create_connection(_End, *next(targets))
        upstream.other = client
        for data in client.held:
            upstream.transport.write(data)
        client.other = upstream

    def accept() -> _End:
        client = _End()
        task = loop.create_task(join(client))
        joining.add(task)
        task.add_done_callback(joining.discard)
        return client

    server = await loop.create_server(accept, "127.0.0.1", 0)
    told = json.dumps({"port": server.sockets[0].getsockname()[1]})
    await asyncio.to_thread(ready_file.write_text, told)
    await asyncio.Event().wait()


def main() -> None:
    """Serves until killed."""
    options = argparse.ArgumentParser()
    options.add_argument("--upstreams", nargs="+", required=True)
    options.add_argument("--ready-file", type=Path, required=True)
    chosen = options.parse_args()
    uvloop.run(_serve(chosen.upstreams, chosen.ready_file))


if __name__ == "__main__":
    main()
