"""What is a request called? ``req_<ULID>``: sortable by time, unguessable, made only here.

An engine is told that name, for its log. Some server that is known only by its API (``engine: openai``) is
told the same 128 bits as a UUID: there are such that refuse a request with any other name.
"""

from __future__ import annotations

import os

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, as the ULID specification uses it."""

_RANDOM_CHARACTERS = 16
_POOLED = 1024
_TO_ALPHABET = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))
_LAST_TWO = [high + low for high in ALPHABET for low in ALPHABET]
"""The characters of the last ten bits of a stamp: those before them stay for a second."""


_VALUE = {character: value for value, character in enumerate(ALPHABET)}


def as_uuid(request_id: str) -> str:
    """The 128 bits of a request's name as a UUID writes them, which is the only name some servers take."""
    bits = 0
    for character in request_id.removeprefix("req_"):
        bits = bits << 5 | _VALUE[character]
    return f"{bits:032x}"


class RequestIds:
    """Makes identifiers; draws the random part of 1,024 of them at a time."""

    __slots__ = ("_begin", "_offset", "_random", "_second")

    def __init__(self) -> None:
        self._random = ""
        self._offset = 0
        self._second = -1
        """Of 1,024 milliseconds."""
        self._begin = ""

    def make(self, now_us: int) -> str:
        """``now_us``: wall clock in microseconds since 1970. Returns ``req_`` and 26 characters."""
        milli = now_us // 1000
        second = milli >> 10
        if second != self._second:
            self._second = second
            self._begin = "req_" + "".join(ALPHABET[(milli >> shift) & 31] for shift in range(45, 5, -5))
        start = self._offset
        if start >= len(self._random):
            # One byte makes one character: five of its bits count, so every character is as likely.
            drawn = os.urandom(_RANDOM_CHARACTERS * _POOLED)
            self._random = drawn.translate(_TO_ALPHABET).decode("ascii")
            start = 0
        self._offset = end = start + _RANDOM_CHARACTERS
        return self._begin + _LAST_TWO[milli & 1023] + self._random[start:end]
