"""Which format is this trace file in, and what are its requests, in order, one at a time?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from coordination.traces import azure, mooncake, recorded
from coordination.traces.records import MAX_LINE_BYTES, TraceError, TraceRequest


def read_trace(path: Path | str) -> Iterator[TraceRequest]:
    """Yields the requests of a Mooncake JSONL or Azure CSV trace or of a recording, by its first line.

    Holds one line at a time (of a recording, those of its longest request's time). Arrivals never go
    backwards. Raises ``TraceError`` naming file and line of the first bad record, or of the file if it
    cannot be opened or holds no request.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as stream:
            yield from _ordered(name, _requests(name, stream))
    except OSError as problem:
        raise TraceError(name, 0, problem.strerror or str(problem)) from problem


def _requests(name: str, stream: BinaryIO) -> Iterator[TraceRequest]:
    lines = _lines(name, stream)
    first = next(lines, None)
    if first is None:
        raise TraceError(name, 0, "the trace is empty")
    number, text = first
    if recorded.is_opening(text):
        yield from recorded.requests(name, first, lines)
    elif text.startswith("{"):
        yield mooncake.parse(name, number, text)
        for number, text in lines:
            yield mooncake.parse(name, number, text)
    elif azure.is_header(text):
        for number, text in lines:
            yield azure.parse(name, number, text)
    else:
        raise TraceError(
            name,
            number,
            'neither a Mooncake record ({"timestamp": ..}), nor the Azure header ('
            + ",".join(azure.HEADER)
            + '), nor a recording ({"headway": ..})',
        )


def _lines(name: str, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines that hold something; a line longer than any honest record is refused unread."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise TraceError(name, number, f"a line of more than {MAX_LINE_BYTES} bytes")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as problem:
            raise TraceError(name, number, "not UTF-8 text") from problem
        if text:
            yield number, text


def _ordered(name: str, requests: Iterator[TraceRequest]) -> Iterator[TraceRequest]:
    """Rebases arrivals on the first and refuses one that precedes its predecessor: a replay cannot
    go back in time, and sorting would mean holding the whole trace."""
    origin: int | None = None
    latest = 0
    for request in requests:
        if origin is None:
            origin = latest = request.arrival_us
        if request.arrival_us < latest:
            behind_us = latest - request.arrival_us
            raise TraceError(name, request.line, f"arrives {behind_us} us before the record above it")
        latest = request.arrival_us
        if origin:
            request = TraceRequest(
                request.line,
                latest - origin,
                request.input_tokens,
                request.output_tokens,
                request.blocks,
                request.sender,
            )
        yield request
    if origin is None:
        raise TraceError(name, 0, "the trace holds no request")
