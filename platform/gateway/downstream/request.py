"""What did a client send? One parsed request, and the limits it was held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import Problem

if TYPE_CHECKING:
    from gateway.downstream.heads import RequestHead


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one client connection. Sizes in bytes, times in seconds."""

    head: int = 32 * 1024
    fields: int = 100
    body: int = 8 * 1024 * 1024
    pipelined: int = 64
    """Requests waiting behind the one being answered; the connection closes after them."""
    head_seconds: float = 10.0
    """From the first byte of a head to its end."""
    body_seconds: float = 120.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0
    """How long what a refused client still sends is read and dropped, so that it sees our answer."""
    write_high: int = 16 * 1024
    """Unsent response bytes at which the upstream is paused."""


class HttpRequest:
    """One request. ``headers`` has lower-case names; a repeated field keeps its last value."""

    __slots__ = (
        "body",
        "head",
        "headers",
        "http_1_0",
        "keep_alive",
        "method",
        "path",
        "problem",
        "sender",
    )

    def __init__(
        self,
        method: str = "",
        path: bytes = b"",
        headers: dict[bytes, bytes] | None = None,
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.path = path
        self.headers: dict[bytes, bytes] = {} if headers is None else headers
        self.body = body
        self.keep_alive = False
        self.http_1_0 = False
        self.problem: Problem | None = None
        """Why it cannot be served: found while reading it, answered in its turn."""
        self.sender: Any = None
        """Whom the service took the sender to be when it vetted the head; its own business."""
        self.head: RequestHead | None = None
        """That it was not parsed from, because it had come before."""
