"""How do an engine's tokens reach one client, however slowly it reads?

A slow reader never holds up the engine: its sequence runs on to its end and frees its KV blocks, while
what is not yet sent exists only as two numbers (any range of an answer can be rendered again, see
``outputs``). The socket holds at most ``WRITE_BUFFER`` bytes and one event beyond it; the rest is
rendered when the socket drains. A client that leaves frees its sequence at once.
"""

from __future__ import annotations

from typing import Protocol

from simfleet.completions import Answer, Completion
from simfleet.connection import Connection
from simfleet.engine import Sequence

MAX_EVENT_TOKENS = 256
"""Tokens in one event when a reader has fallen behind."""


class Owner(Protocol):
    """Whoever must know what becomes of a stream: its replica."""

    def chunk_sent(self, stream: Stream) -> None:
        """A content chunk went out."""

    def stream_ended(self, stream: Stream) -> None:
        """The answer is complete, or its client is gone."""


class Stream:
    """One answer on its way, streamed or whole. Owns its connection until it ends."""

    __slots__ = (
        "_answer", "_completion", "_connection", "_headers", "_interval", "_owner",
        "chunks", "delivered", "muted", "request_id", "sequence",
    )  # fmt: skip

    def __init__(
        self,
        owner: Owner,
        connection: Connection,
        completion: Completion,
        answer: Answer,
        sequence: Sequence,
        *,
        request_id: str,
        headers: bytes,
        interval: int,
    ) -> None:
        self.sequence = sequence
        self.request_id = request_id
        self.delivered = 0
        self.chunks = 0
        self.muted = False
        """Sends nothing more: its replica is about to die."""
        self._owner = owner
        self._connection = connection
        self._completion = completion
        self._answer = answer
        self._headers = headers
        self._interval = interval

    @property
    def complete(self) -> bool:
        """Has every token been handed to the socket?"""
        return self.delivered == self._completion.work.output_tokens

    @property
    def output_tokens(self) -> int:
        """Made so far, as the usage counts them."""
        return min(self.sequence.emitted, self._completion.output_tokens)

    def open(self) -> None:
        """Send a stream's head, before the first token is computed, as vLLM's server does."""
        if self._completion.stream:
            self._connection.open_stream(headers=self._headers)

    def advance(self) -> None:
        """The engine produced a token, or the socket drained: send what may be sent."""
        if self._completion.stream:
            self._send_events()
        elif self.sequence.emitted == self._completion.work.output_tokens:
            self.delivered = self.sequence.emitted
            body = self._answer.whole(self.sequence.cached_tokens)
            self._owner.stream_ended(self)
            self._connection.respond(200, body, headers=self._headers)

    drained = advance

    def gone(self) -> None:
        """The client left (called by the connection)."""
        self._owner.stream_ended(self)

    def _send_events(self) -> None:
        total = self._completion.work.output_tokens
        while self._connection.writable and not self.muted:
            start, end = self.delivered, self.sequence.emitted
            if start == end or (start and end < total and end - start < self._interval):
                return
            end = min(end, start + MAX_EVENT_TOKENS)
            events = b"" if start else self._answer.opening()
            events += self._answer.event(start, end)
            self.delivered = end
            self.chunks += 1
            if end == total:
                events += self._answer.closing(self.sequence.cached_tokens)
                self._owner.chunk_sent(self)
                self._owner.stream_ended(self)
                self._connection.close_stream(events)
                return
            self._connection.send(events)
            self._owner.chunk_sent(self)
