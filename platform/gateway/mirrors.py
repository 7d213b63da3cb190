"""What becomes of the copies of requests? Sent after the request itself, read, and thrown away.

A ``Copied`` is its replica's caller, as an exchange is, and knows no client: nothing it meets can reach one.
The rules bound how many there are and where they go (``coordination.scheduling.mirroring``); they count how
each ended, and here is counted how long its first byte took.
"""

from __future__ import annotations

import asyncio

from coordination.program.records import Timeouts
from coordination.scheduling import Copy, Dispatch, Ended
from gateway.clock import PolicyClock
from gateway.credentials import Credentials
from gateway.ended import Histogram
from gateway.identifiers import as_uuid
from gateway.metrics import BOUNDS_US
from gateway.racing import failure_in
from gateway.rules import Rules
from gateway.upstream.connection import ReplicaConnection
from gateway.upstream.pool import Replicas


class Mirrors:
    """All copies of this gateway."""

    def __init__(
        self, coordinator: Rules, replicas: Replicas, credentials: Credentials, clock: PolicyClock
    ) -> None:
        self.coordinator = coordinator
        self.replicas = replicas
        self.credentials = credentials
        self.clock = clock
        self.live: set[Copied] = set()
        self.first_bytes: dict[tuple[str, str], Histogram] = {}
        """(route, pool) -> from sending to the first byte, of those that were answered."""
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def copy_of(self, dispatch: Dispatch, path: bytes, body: bytes, timeouts: Timeouts) -> None:
        """A request is about to be sent: once it is, send the copies its route wants."""
        self._loop.call_soon(self._send, dispatch, path, body, timeouts)

    def close(self) -> None:
        """Nobody waits for copies, a stopping gateway least of all."""
        self._closed = True
        for one in list(self.live):
            one.end("reset")

    def took(self, copy: Copy, micros: int) -> None:
        key = (copy.route, copy.pool)
        histogram = self.first_bytes.get(key)
        if histogram is None:
            histogram = self.first_bytes[key] = Histogram(BOUNDS_US)
        histogram.extend((micros,))

    def _send(self, dispatch: Dispatch, path: bytes, body: bytes, timeouts: Timeouts) -> None:
        if self._closed:
            return
        request_id = dispatch.request.request_id
        for copy in self.coordinator.mirror(dispatch):
            generic = self.coordinator.program.pools[copy.pool].generic
            name = as_uuid(request_id) if generic else f"{request_id}-copy"
            Copied(self, copy, path, body, name.encode(), timeouts)


class Copied:
    """One copy under way."""

    __slots__ = (
        "_answered",
        "_body",
        "_connecting",
        "_copy",
        "_mirrors",
        "_name",
        "_path",
        "_refused",
        "_sent",
        "_timeouts",
        "_timer",
        "_upstream",
    )

    def __init__(
        self, mirrors: Mirrors, copy: Copy, path: bytes, body: bytes, name: bytes, timeouts: Timeouts
    ) -> None:
        """``name``: what the engine is told as the request's id."""
        self._mirrors = mirrors
        self._copy = copy
        self._path = path
        self._body = body
        self._name = name
        self._timeouts = timeouts
        self._answered = self._refused = False
        self._sent = mirrors.clock.now()
        self._upstream: ReplicaConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._timer = self._late_after(timeouts.first_byte)
        mirrors.live.add(self)
        kept = mirrors.replicas.pool(copy.replica).take()
        if kept is not None:
            self._put(kept)
        else:
            self._connect()

    def end(self, ended: Ended) -> None:
        """It is over, however far it came."""
        mirrors = self._mirrors
        if self not in mirrors.live:
            return
        mirrors.live.discard(self)
        self._timer.cancel()
        self._body = b""
        if self._connecting is not None:
            self._connecting.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()
        mirrors.coordinator.copied(self._copy, ended)

    # -- the replica's side --------------------------------------------------------------------

    def upstream_whole(self, headers: dict[bytes, bytes], body: bytes) -> None:  # noqa: ARG002
        self._upstream = None
        self._began()
        self.end("completed")

    def upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:  # noqa: ARG002
        failure = failure_in(status)
        if failure is not None:
            self.end(failure)
        else:
            self._refused = status != 200

    def upstream_body(self, data: bytes) -> None:  # noqa: ARG002 - nobody wants it
        if not self._answered:
            self._began()

    def upstream_end(self, *, framed: bool) -> None:  # noqa: ARG002 - what is cut off is not told apart
        self._upstream = None
        self.end("refused" if self._refused else "completed")

    def upstream_lost(self, *, answered: bool, stale: bool) -> None:
        self._upstream = None
        if stale and not answered:
            self._connect()  # the replica closed a kept connection as we took it: not its failure
        else:
            self.end("reset")

    # -- inside --------------------------------------------------------------------------------

    def _connect(self) -> None:
        pool = self._mirrors.replicas.pool(self._copy.replica)
        self._connecting = pool.connect(self._connected, self._unreachable)

    def _connected(self, upstream: ReplicaConnection) -> None:
        self._connecting = None
        self._put(upstream)

    def _unreachable(self, _: str) -> None:
        self._connecting = None
        self.end("connect")

    def _put(self, upstream: ReplicaConnection) -> None:
        self._upstream = upstream
        head = upstream.pool.heads[self._path]
        lines = self._mirrors.credentials.lines
        if lines:
            head += lines.get(self._copy.pool, b"")
        fields = b"content-length: %d\r\nx-request-id: %b\r\n\r\n" % (len(self._body), self._name)
        upstream.send(self, head + fields, self._body)

    def _began(self) -> None:
        mirrors = self._mirrors
        took = mirrors.clock.now() - self._sent
        self._answered = True
        self._timer.cancel()
        self._timer = self._late_after(max(0, self._timeouts.total - took))
        mirrors.took(self._copy, took)
        mirrors.coordinator.copy_began(self._copy, took)

    def _late_after(self, micros: int) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(micros / 1_000_000, self.end, "timeout")
