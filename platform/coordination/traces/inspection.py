"""Will this file do as a trace, and if not, at which lines? Every fault up to a limit, not only the first.

A reader stops at the first bad record, for a replay cannot go on without it; whoever sent the file wants to
know all that is wrong with it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from coordination.traces import azure, mooncake, recorded
from coordination.traces.records import MAX_LINE_BYTES, TraceError, TraceRequest

MOST_FAULTS: Final = 50
_PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "7z",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. Line 0 is the file as a whole."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds. Counts are of the sound records."""

    format: str
    """``mooncake``, ``azure``, ``recording``, or empty when it is none of them."""
    digest: str
    size: int
    """Bytes."""
    requests: int = 0
    span_us: int = 0
    """Microseconds from the first arrival to the last."""
    input_tokens: int = 0
    output_tokens: int = 0
    faults: tuple[Fault, ...] = ()
    more_faults: int = 0
    """Faults beyond those listed."""

    @property
    def ok(self) -> bool:
        return not self.faults


class _Found:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.more = 0

    def fault(self, line: int, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(line, message))
        else:
            self.more += 1


def inspect(path: Path) -> Inspection:
    """Reads the file once, a line at a time; memory does not grow with it. Raises ``OSError``."""
    found = _Found()
    with path.open("rb") as stream:
        digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        size = stream.tell()
        stream.seek(0)
        head = stream.read(4096)
        stream.seek(0)
        packed = next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)
        if packed is not None:
            found.fault(0, f"a {packed} file: send what is in it")
        elif b"\0" in head:
            found.fault(0, "not a text file")
        else:
            return _of_lines(stream, digest, size, found)
    return Inspection("", digest, size, faults=tuple(found.faults))


def _of_lines(stream: BinaryIO, digest: str, size: int, found: _Found) -> Inspection:
    lines = _lines(stream, found)
    first = next(lines, None)
    if first is None:
        if not found.faults:
            found.fault(0, "the trace is empty")
        return Inspection("", digest, size, faults=tuple(found.faults), more_faults=found.more)
    kind: str
    parse: Callable[[int, str], TraceRequest]
    if recorded.is_opening(first[1]):
        try:
            kind, parse, first = "recording", recorded.Lines("", *first).read, None
        except TraceError as error:
            found.fault(error.line, error.message)
            return Inspection("", digest, size, faults=tuple(found.faults), more_faults=found.more)
    elif first[1].startswith("{"):
        kind, parse = "mooncake", partial(mooncake.parse, "")
    elif azure.is_header(first[1]):
        kind, parse, first = "azure", partial(azure.parse, ""), None
    else:
        found.fault(
            first[0],
            'neither a Mooncake record ({"timestamp": ..}), nor the Azure header ('
            + ",".join(azure.HEADER)
            + '), nor a recording ({"headway": ..})',
        )
        return Inspection("", digest, size, faults=tuple(found.faults), more_faults=found.more)
    requests = inputs = outputs = latest = 0
    origin: int | None = None
    any_order = kind == "recording"  # as its requests ended; what is too far out of order is a fault there
    for number, text in _with(first, lines):
        try:
            request = parse(number, text)
        except TraceError as error:
            found.fault(number, error.message)
            continue
        if origin is None:
            origin = latest = request.arrival_us
        if any_order:
            origin = min(origin, request.arrival_us)
        elif request.arrival_us < latest:
            behind = latest - request.arrival_us
            found.fault(number, f"arrives {behind} us before a record above it")
            continue
        latest = max(latest, request.arrival_us)
        requests += 1
        inputs += request.input_tokens
        outputs += request.output_tokens
    if not requests and not found.faults:
        found.fault(0, "the trace holds no request")
    span = 0 if origin is None else latest - origin
    return Inspection(kind, digest, size, requests, span, inputs, outputs, tuple(found.faults), found.more)


def _with(first: tuple[int, str] | None, rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    if first is not None:
        yield first
    yield from rest


def _lines(stream: BinaryIO, found: _Found) -> Iterator[tuple[int, str]]:
    """Numbered lines that hold something. What cannot be one is a fault, and the next is read."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            found.fault(number, f"a line of more than {MAX_LINE_BYTES} bytes")
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            found.fault(number, "not UTF-8 text")
            continue
        if text:
            yield number, text
