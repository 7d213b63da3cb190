"""``python -m headway.web``: one web process. What uvicorn does, and a stop that keeps nobody waiting.

uvicorn waits for open requests when it stops; gateways hold theirs open for as long as there is
nothing new, so they are let go first.
"""

from __future__ import annotations

import gc
import socket
import sys
from typing import Annotated

import typer
import uvicorn

GRACE = 2
"""Seconds that requests in progress get when the process is told to stop."""
WS_MOST_BYTES = 64 * 1024
"""Of one message on a socket: more closes it before it is read (the application takes less)."""


GARBAGE = (10_000, 10, 10)
"""Objects before Python looks for garbage among the youngest, and of how many looks one goes further."""


class WebServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()  # what is loaded stays: no look for garbage need go over it
        gc.set_threshold(*GARBAGE)
        gc.enable()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from headway.asgi import BACKGROUND

        BACKGROUND.release()
        await super().shutdown(sockets)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Serve the console, the API and the gateways' endpoints."""
    config = uvicorn.Config(
        "headway.asgi:application",
        host=host,
        port=port,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=WS_MOST_BYTES,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = WebServer(config)
    gc.disable()  # until it serves: loading leaves next to no garbage
    server.run()
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    typer.run(serve)
