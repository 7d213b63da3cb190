"""What is a request called? ``req_<ULID>``: sortable by time, unguessable, made only here."""

from __future__ import annotations

import os

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, as the ULID specification uses it."""

_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)
_ENTROPY_BYTES = 10
_POOLED = 1024


class RequestIds:
    """Makes identifiers; draws its randomness 1,024 identifiers at a time, one system call each."""

    __slots__ = ("_entropy", "_offset", "_second", "_stamp")

    def __init__(self) -> None:
        self._entropy = b""
        self._offset = 0
        self._second = -1
        self._stamp = ""

    def make(self, now_us: int) -> str:
        """``now_us``: wall clock in microseconds since 1970. Returns ``req_`` and 26 characters."""
        milli = now_us // 1000
        if milli != self._second:
            self._second = milli
            self._stamp = "req_" + "".join(ALPHABET[(milli >> shift) & 31] for shift in range(45, -1, -5))
        if self._offset >= len(self._entropy):
            self._entropy = os.urandom(_ENTROPY_BYTES * _POOLED)
            self._offset = 0
        random = int.from_bytes(self._entropy[self._offset : self._offset + _ENTROPY_BYTES], "big")
        self._offset += _ENTROPY_BYTES
        pairs = _PAIRS
        return self._stamp + (
            pairs[random >> 70]
            + pairs[(random >> 60) & 1023]
            + pairs[(random >> 50) & 1023]
            + pairs[(random >> 40) & 1023]
            + pairs[(random >> 30) & 1023]
            + pairs[(random >> 20) & 1023]
            + pairs[(random >> 10) & 1023]
            + pairs[random & 1023]
        )
