"""Who is connected? A listening socket, its connections, their deadlines, and its end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from email.utils import formatdate

from gateway.downstream.connection import ClientConnection, Service
from gateway.downstream.heads import RequestHeads
from gateway.downstream.request import Limits
from gateway.tls import HANDSHAKE_SECONDS

READ_SIZE = 64 * 1024
UNSENT_IN_KERNEL = 16 * 1024
"""TCP_NOTSENT_LOWAT: what the kernel may hold unsent, so that a slow client is noticed at once."""
SWEEP_SECONDS = 0.5


class Listener:
    """Accepts for one ``Service``. One read buffer serves all: a read is parsed before the next."""

    grace = 0.0
    """Seconds beyond the time to drain that ending takes."""

    def __init__(
        self, service: Service, limits: Limits | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        """``tls``: speak it, and nothing else."""
        self.service = service
        self._tls = tls
        self.limits = limits or Limits()
        self.connections: set[ClientConnection] = set()
        self.heads = RequestHeads()
        self.buffer = bytearray(READ_SIZE)
        self.read_buffer = memoryview(self.buffer)
        self.draining = False
        self.date = b""
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time()
        """Loop time at the last sweep: deadlines need no better clock."""
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Bind and listen. Port 0 takes a free one; ``self.port`` says which. OSError if taken."""
        await self.listen(bound_socket(host, port))

    async def listen(self, sock: socket.socket) -> None:
        """Listen on what ``bound_socket`` made, here or in a parent."""
        self.port = sock.getsockname()[1]
        self._server = await self._loop.create_server(
            lambda: ClientConnection(self),
            sock=sock,
            backlog=2048,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self._tls is not None else None,
        )
        self._sweep()

    def stop_accepting(self) -> None:
        """No new connection; idle ones are closed, busy ones close after their answer."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in [c for c in self.connections if c.idle]:
            connection.hang_up()

    def left(self, connection: ClientConnection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections and not self._empty.done():
            self._empty.set_result(None)

    async def emptied(self) -> None:
        """Wait until nobody is connected."""
        if self.connections:
            self._empty = self._loop.create_future()
            await self._empty

    def close(self) -> None:
        """End everything, answers in progress included."""
        self.stop_accepting()
        for connection in list(self.connections):
            connection.hang_up()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        now = self.now = self._loop.time()
        for connection in [c for c in self.connections if c.deadline < now]:
            connection.expire()
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)


def bound_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Not listening yet; accepted ones inherit its options (Linux), so none is set per connection.

    ``shared``: others of this user may be bound there too, and the kernel gives each its part of the
    connections. ``OSError`` if the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_IN_KERNEL)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
