"""Who answers a request that is tried twice? A second attempt beside a slow first one (R22).

``Race`` stands beside an exchange whose route hedges. When the route's time is over without a first byte it
asks the rules for a second attempt, which is a ``Rival``: a caller of its own until it sends the first byte,
or until the first attempt fails. From then on the exchange is the caller, and the other attempt is gone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coordination.scheduling import Dispatch, Lost
from gateway.upstream.connection import ReplicaConnection

if TYPE_CHECKING:
    from gateway.exchange import Exchange
    from gateway.rules import FailReason

NOT_THE_CLIENTS = frozenset((401, 403, 407, 429))
"""What an engine says of us, not of whoever asked: our key, our share of it."""


def failure_in(status: int) -> FailReason | None:
    """What a status says of the attempt rather than of the request."""
    if status >= 500 or status in NOT_THE_CLIENTS or (status < 400 and status != 200):
        return "status_503" if status in (429, 503) else "reset"
    return None


class Race:
    """The second attempt of one exchange: not yet, under way, or over."""

    __slots__ = ("_exchange", "_timer", "rival")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._timer: asyncio.TimerHandle | None = None
        self.rival: Rival | None = None

    def watch(self, after_us: int) -> None:
        """An attempt was sent: its first byte may take so long. Any earlier one is forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after_us / 1_000_000, self._due)

    def _due(self) -> None:
        self._timer = None
        exchange = self._exchange
        dispatch = exchange.untouched()
        if dispatch is None:
            return
        second = exchange.plane.coordinator.hedge(dispatch)
        if second is not None:
            self.begin(second)

    def begin(self, second: Dispatch) -> None:
        """Make the second attempt, which the rules allow."""
        self.rival = Rival(self._exchange, self, second)
        self.rival.begin()

    def over(self) -> None:
        """The first attempt has answered, or nobody wants an answer: it goes on, or ends, alone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        rival, self.rival = self.rival, None
        if rival is not None:
            rival.end("dropped" if rival.sent else "unsent")


class Rival:
    """A second attempt, as its replica's caller."""

    __slots__ = ("_answer", "_exchange", "_race", "connecting", "dispatch", "sent", "upstream")

    def __init__(self, exchange: Exchange, race: Race, dispatch: Dispatch) -> None:
        self._exchange = exchange
        self._race = race
        self._answer: tuple[int, dict[bytes, bytes]] | None = None
        """The head of its answer, once that has come."""
        self.dispatch = dispatch
        self.connecting: asyncio.Task[None] | None = None
        self.upstream: ReplicaConnection | None = None
        self.sent = 0

    def begin(self) -> None:
        self._exchange.attempted(self.dispatch)
        kept = self._exchange.plane.replicas.pool(self.dispatch.replica).take()
        if kept is not None:
            self._send(kept)
        else:
            self._connect()

    def end(self, reason: Lost) -> None:
        """It is over, and the first attempt goes on."""
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abort()
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None
        self._exchange.lost(self.dispatch, reason, self.sent)

    def take_over(self) -> None:
        """The first attempt has failed: this is the exchange's own from now on."""
        self._race.rival = None
        upstream = self.upstream
        self._exchange.continue_with(self.dispatch, upstream, self.connecting, self.sent)
        if upstream is not None:
            upstream.hand_to(self._exchange)
            if self._answer is not None:
                self._exchange.upstream_head(*self._answer)

    # -- the replica's side --------------------------------------------------------------------

    def upstream_whole(self, headers: dict[bytes, bytes], body: bytes) -> None:
        self.upstream = None
        self._won()
        self._exchange.upstream_whole(headers, body)

    def upstream_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        reason = failure_in(status)
        if reason is not None:
            self._failed(reason)
        else:
            self._answer = (status, headers)

    def upstream_body(self, data: bytes) -> None:
        exchange = self._exchange
        self._won()
        exchange.upstream_body(data)

    def upstream_end(self, *, framed: bool) -> None:  # noqa: ARG002 - the protocol's signature
        """An answer without a body: nobody is helped by it."""
        self.upstream = None
        self._failed("reset")

    def upstream_lost(self, *, answered: bool, stale: bool) -> None:
        self.upstream = None
        if stale and not answered:
            self._connect()  # the replica closed a kept connection as we took it: not its failure
        else:
            self._failed("reset")

    # -- inside --------------------------------------------------------------------------------

    def _won(self) -> None:
        """Its first byte came before the other's: the exchange goes on with this one."""
        exchange, upstream = self._exchange, self.upstream
        self._race.rival = None
        exchange.beaten_by(self.dispatch, upstream, self.sent)
        if upstream is not None:
            upstream.hand_to(exchange)
        if self._answer is not None:
            exchange.upstream_head(*self._answer)

    def _failed(self, reason: FailReason) -> None:
        self._race.rival = None
        self.end(reason)

    def _connect(self) -> None:
        pool = self._exchange.plane.replicas.pool(self.dispatch.replica)
        self.connecting = pool.connect(self._connected, self._unreachable)

    def _connected(self, upstream: ReplicaConnection) -> None:
        self.connecting = None
        if self._race.rival is self:
            self._send(upstream)
        else:
            self._exchange.connected(upstream)

    def _unreachable(self, why: str) -> None:
        self.connecting = None
        if self._race.rival is self:
            self._failed("connect")
        else:
            self._exchange.unreachable(why)

    def _send(self, upstream: ReplicaConnection) -> None:
        exchange = self._exchange
        now = exchange.plane.clock.now()
        self.upstream = upstream
        if exchange.put(upstream, self, self.dispatch, now):
            self.sent = now
        else:  # it cannot be put on record, so it is not made
            self._race.rival = None
            self.end("unsent")
