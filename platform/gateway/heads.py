"""Is this the head that came before? Then it means the same, and need not be parsed again.

Whoever sends one message after another on a kept connection repeats its head, byte for byte, but for
the length of the body. A head that was parsed and accepted is kept, cut in two around that number; a
read that has both parts, a number between them and exactly that many bytes behind is one whole message
under the same head. Anything else is for the parser.
"""

from __future__ import annotations

import re

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)

_LENGTHS = 32
"""Of messages under one head, whose heads are kept whole."""


class KnownHead:
    """The bytes of a head around the length it stated."""

    __slots__ = ("_size", "_whole", "after", "before")

    def __init__(self, before: bytes, after: bytes) -> None:
        self.before = before
        self.after = after
        self._size = len(before) + len(after)
        self._whole: dict[int, bytes] = {}
        """By bytes of a message: the head, length included, that it had."""

    def body_of(self, buffer: bytearray, nbytes: int) -> memoryview | None:
        """The body, if the first ``nbytes`` are this head and one whole body; to be copied at once."""
        whole = self._whole.get(nbytes)
        if whole is not None and buffer.startswith(whole):
            return memoryview(buffer)[len(whole) : nbytes]
        if not buffer.startswith(self.before):
            return None
        # What is left is a number of d digits and a body of that many bytes. So there are at most two
        # numbers that can stand here, and usually one: it is looked for as text, never read.
        left = nbytes - self._size
        if left < 1:
            return None
        length = left - len(b"%d" % left)
        end = b"%d%b" % (length, self.after)
        at = len(self.before)
        if not buffer.startswith(end, at):
            length += 1
            end = b"%d%b" % (length, self.after)
            if not buffer.startswith(end, at):
                return None
        start = at + len(end)
        if start + length != nbytes:
            return None
        if len(self._whole) >= _LENGTHS:
            self._whole.clear()
        self._whole[nbytes] = self.before + end
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
