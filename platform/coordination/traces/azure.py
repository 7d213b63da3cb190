"""How does one line of an Azure LLM inference trace read?

``TIMESTAMP,ContextTokens,GeneratedTokens`` with wall-clock stamps of 100 ns (``2023-11-16
18:17:03.9799600``), in UTC. The trace says nothing about shared prefixes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from coordination.traces.records import MAX_TOKENS, TraceError, TraceRequest

HEADER = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")

# The 2024 release adds a zone (``+00:00``) and drops trailing zeros of the fraction.
_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)?",
    re.ASCII,
)


def is_header(text: str) -> bool:
    """Whether a first line opens an Azure trace."""
    return tuple(cell.strip() for cell in text.split(",")) == HEADER


def parse(file: str, number: int, text: str) -> TraceRequest:
    """The request of one line; ``TraceError`` with the place when it is damaged."""
    cells = [cell.strip() for cell in text.split(",")]
    if len(cells) != len(HEADER):
        raise TraceError(file, number, f"{len(cells)} columns instead of {len(HEADER)}")
    return TraceRequest(
        number,
        _stamp_us(file, number, cells[0]),
        _tokens(file, number, HEADER[1], cells[1]),
        _tokens(file, number, HEADER[2], cells[2]),
        (),
    )


def _stamp_us(file: str, number: int, cell: str) -> int:
    """Microseconds since 1970; the 100 ns digit is dropped."""
    found = _STAMP.fullmatch(cell)
    if found is None:
        raise TraceError(file, number, f"TIMESTAMP {cell!r} is not like 2023-11-16 18:17:03.9799600")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as problem:
        raise TraceError(file, number, f"TIMESTAMP {cell!r}: {problem}") from problem
    fraction = (found.group(7) or "").ljust(6, "0")[:6]
    return int(instant.timestamp()) * 1_000_000 + int(fraction)


def _tokens(file: str, number: int, column: str, cell: str) -> int:
    # int() alone would also take signs, underscores and other scripts' digits.
    if not (cell.isascii() and cell.isdigit()) or len(cell) > 18 or int(cell) == 0:
        raise TraceError(file, number, f"{column} {cell[:40]!r} is not a whole number of at least 1")
    tokens = int(cell)
    if tokens > MAX_TOKENS:
        raise TraceError(file, number, f"{column} {tokens} is more than {MAX_TOKENS}")
    return tokens
