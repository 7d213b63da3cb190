"""What did a head mean that a replica has answered with before? (``gateway.heads``)

An engine's answers that are not streamed begin alike but for their length (and, in some, the second
they were sent in).
"""

from __future__ import annotations

from typing import Final

from gateway.heads import KnownHead, cut

_TRIED: Final = 16
"""After so many answers in a row under other heads, only every so-manieth is looked at."""


class AnswerHead(KnownHead):
    """The head of a 200 answer in JSON on a connection that stays open, and its fields but for the length."""

    __slots__ = ("headers",)

    def __init__(self, before: bytes, after: bytes, headers: dict[bytes, bytes]) -> None:
        super().__init__(before, after)
        self.headers = headers


class KnownAnswers:
    """The head one replica answers with."""

    __slots__ = ("_misses", "known")

    def __init__(self) -> None:
        self.known: AnswerHead | None = None
        self._misses = 0

    def learn(self, buffer: bytearray, nbytes: int, headers: dict[bytes, bytes]) -> None:
        """An answer was parsed from the first ``nbytes``, which may hold more than it."""
        self._misses += 1
        if self._misses > _TRIED and self._misses % _TRIED:
            return
        parts = cut(buffer, nbytes)
        if parts is not None and headers.get(b"content-type", b"").startswith(b"application/json"):
            kept = {name: value for name, value in headers.items() if name != b"content-length"}
            self.known = AnswerHead(*parts, kept)

    def met(self) -> None:
        """An answer had the head that is known."""
        self._misses = 0
