"""How do files become one tar with one possible spelling, and how is a stranger's tar read safely?

The archive is USTAR: names sorted, times and owners zero, mode 0644, two zero blocks at the end. Since
names and contents decide every byte, the reader rebuilds each header and compares: whatever differs is
refused, and no field of a header is ever acted upon without that.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from coordination.bundle.refusals import RefusedError, refuse

BLOCK = 512
MAX_NAME = 100
"""Bytes: the name field of USTAR; we never need its prefix field."""

_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*(/[a-z0-9_][a-z0-9._-]*)*")
_SIZE = re.compile(rb"[0-7]{11}\0")
_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x")
_END = bytes(2 * BLOCK)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader is prepared to hold."""

    archive: int = 256 * 1024 * 1024
    """Bytes of the whole archive."""
    file: int = 16 * 1024 * 1024
    """Bytes of one file."""
    files: int = 100_000


def write_tar(files: Mapping[str, bytes]) -> bytes:
    """The archive of ``files``. Raises ``ValueError`` for a name we would not read back."""
    parts: list[bytes] = []
    for name, data in sorted(files.items()):
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
            raise ValueError(f"{name!r} cannot be a name in a bundle")
        parts += (_header(name, len(data)), data, bytes(-len(data) % BLOCK))
    parts.append(_END)
    return b"".join(parts)


def read_tar(data: bytes, limits: Limits | None = None, *, file: str = "bundle.tar") -> dict[str, bytes]:
    """The files in ``data``, which must be exactly what ``write_tar`` makes of them.

    Raises ``RefusedError``: ``too_large``, ``archive_traversal``, ``archive_link``,
    ``archive_duplicate``, ``archive_bomb`` or ``archive_malformed``.
    """
    limits = limits or Limits()
    if len(data) > limits.archive:
        raise refuse("too_large", f"{len(data)} bytes, more than {limits.archive}", file=file)
    files: dict[str, bytes] = {}
    at = 0
    last = ""
    while (header := data[at : at + BLOCK]).strip(b"\0"):
        name, size = _entry(header, files, limits, file)
        start, end = at + BLOCK, at + BLOCK + size
        at = end + -size % BLOCK
        if at > len(data):
            raise _malformed(f"{name} is cut short", file)
        if data[end:at].strip(b"\0"):
            raise _malformed(f"{name} is padded with something", file)
        if name < last:
            raise _malformed(f"{name} is out of order", file)
        files[name] = data[start:end]
        last = name
    if data[at:] != _END:
        raise _malformed("does not end in exactly two empty blocks", file)
    return files


def _entry(header: bytes, files: Mapping[str, bytes], limits: Limits, file: str) -> tuple[str, int]:
    """Name and size of the next file, or why it cannot be one."""
    if len(header) < BLOCK:
        raise _malformed("cut short within a header", file)
    fields = _HEADER.unpack(header)
    raw_name, size_field, kind = fields[0].rstrip(b"\0"), fields[4], fields[7]
    name = raw_name.decode("ascii", "backslashreplace")
    if kind in (b"1", b"2"):
        raise refuse("archive_link", f"{name!r} is a link", file=file)
    if kind != b"0":
        raise _malformed(f"{name!r} is not a regular file", file)
    if name.startswith("/") or "\\" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise refuse("archive_traversal", f"{name!r} leads elsewhere", file=file)
    if not _NAME.fullmatch(name):
        raise _malformed(f"{name!r} cannot be a name in a bundle", file)
    if name in files:
        raise refuse("archive_duplicate", f"{name} appears twice", file=file)
    if not _SIZE.fullmatch(size_field):
        raise _malformed(f"{name} has no plain size", file)
    size = int(size_field[:-1], 8)
    if size > limits.file or len(files) >= limits.files:
        raise refuse("archive_bomb", f"{name}: {size} bytes as file {len(files) + 1}", file=file)
    if header != _header(name, size):
        raise _malformed(f"the header of {name} says more than a name and a size", file)
    return name, size


def _header(name: str, size: int) -> bytes:
    """One USTAR header block. Its checksum is the sum of its bytes, those of the checksum taken as blanks."""
    encoded, octal = name.encode(), b"%011o" % size
    return _fields(encoded, octal, b"%06o\0 " % (_SUM_OF_THE_REST + sum(encoded) + sum(octal)))


def _fields(name: bytes, size: bytes, checksum: bytes) -> bytes:
    zero = b"0000000\0"
    return _HEADER.pack(
        name, b"0000644\0", zero, zero, size + b"\0", b"00000000000\0",
        checksum, b"0", b"", b"ustar\0", b"00", b"", b"", b"", b"", b"",
    )  # fmt: skip


_SUM_OF_THE_REST = sum(_fields(b"", b"", b" " * 8))


def _malformed(message: str, file: str) -> RefusedError:
    return refuse("archive_malformed", message, file=file)
