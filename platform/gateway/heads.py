"""Is this the head that came before? Then it means the same, and need not be parsed again.

Whoever sends one message after another on a kept connection repeats its head, byte for byte, but for
the length of the body. A head that was parsed and accepted is kept, cut in two around that number; a
read that has both parts, a number between them and exactly that many bytes behind is one whole message
under the same head. Anything else is for the parser.
"""

from __future__ import annotations

import re

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)
_DIGITS = 8
"""More than the length of a body that fits into one read has."""


class KnownHead:
    """The bytes of a head around the length it stated."""

    __slots__ = ("after", "before")

    def __init__(self, before: bytes, after: bytes) -> None:
        self.before = before
        self.after = after

    def body_of(self, buffer: bytearray, nbytes: int) -> memoryview | None:
        """The body, if the first ``nbytes`` are this head and one whole body; to be copied at once."""
        if not buffer.startswith(self.before):
            return None
        at = len(self.before)
        end = buffer.find(b"\r", at, at + _DIGITS + 1)
        if end < 0 or not buffer.startswith(self.after, end):
            return None
        number = buffer[at:end]
        start = end + len(self.after)
        if not number.isdigit() or start + int(number) != nbytes:
            return None
        return memoryview(buffer)[start:nbytes]


def cut(buffer: bytearray, nbytes: int) -> tuple[bytes, bytes] | None:
    """The head in the first ``nbytes``, around its length; ``None`` unless one whole body follows it.

    The message must have been parsed and found sound: only then do the bytes mean what they seem to.
    """
    end = buffer.find(b"\r\n\r\n", 0, nbytes) + 4
    length = _LENGTH.search(buffer, 0, end - 2)
    if length is None or end + int(length[1]) != nbytes:
        return None
    return bytes(buffer[: length.start(1)]), bytes(buffer[length.end(1) : end])
