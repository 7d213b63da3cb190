"""What did a head mean that a client has sent before? (``gateway.heads``)"""

from __future__ import annotations

from typing import Any

from gateway.downstream.request import HttpRequest
from gateway.heads import KnownHead, cut

LONGEST = 2048
"""Bytes of a head that is kept."""
MOST = 2_000
_MARK = b"ength:"
"""Of content-length, in either case of its capitals: what stands before it tells heads apart."""


class RequestHead(KnownHead):
    """A request's head, and what it was parsed into."""

    __slots__ = ("_headers", "_method", "_path", "vetted")

    def __init__(
        self, before: bytes, after: bytes, method: str, path: bytes, headers: dict[bytes, bytes]
    ) -> None:
        super().__init__(before, after)
        self._method = method
        self._path = path
        self._headers = headers
        self.vetted: Any = None
        """What the service found of a request under this head, for the next; its own business."""

    @classmethod
    def of(cls, buffer: bytearray, nbytes: int, request: HttpRequest, path: bytes) -> RequestHead | None:
        """Of ``request``, parsed from the first ``nbytes``; ``None`` if they hold anything beside it.

        ``path``: as it was sent, whatever the request's has become.
        """
        if request.http_1_0 or not request.keep_alive or b"expect" in request.headers:
            return None
        parts = cut(buffer, nbytes)
        if parts is None:
            return None
        headers = {name: value for name, value in request.headers.items() if name != b"content-length"}
        return cls(*parts, request.method, path, headers)

    def request(self) -> HttpRequest:
        """A fresh one; its body is still to be set, and its headers do not state a length."""
        request = HttpRequest(self._method, self._path, self._headers)
        request.keep_alive = True
        request.head = self
        return request


class RequestHeads:
    """Of all clients of one listener, since one of them may speak for many over one connection."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, RequestHead] = {}

    def find(self, buffer: bytearray) -> RequestHead | None:
        """Under which ``buffer`` may begin; ``body_of`` says whether it does."""
        at = buffer.find(_MARK, 0, LONGEST)
        return self._known.get(bytes(buffer[:at])) if at > 0 else None

    def keep(self, head: RequestHead) -> None:
        """Unless it is a large one."""
        at = head.before.find(_MARK)
        if at > 0 and len(head.before) + len(head.after) <= LONGEST:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[head.before[:at]] = head
