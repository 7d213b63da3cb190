"""What did the last gateway leave: ended attempts to send, open ones to close, room to give back?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from gateway.wal.facts import Begun, Passed, decode_begun, decode_key, decode_passed
from gateway.wal.records import BEGAN, ENDED, scan
from gateway.wal.segments import Position, Segment, numbers, place

Attempt = tuple[str, int]
"""Request id and number of the attempt."""


@dataclass(slots=True)
class Left:
    """What the folder holds."""

    segments: list[Segment] = field(default_factory=list)
    """Those with records, oldest first."""
    empty: list[Segment] = field(default_factory=list)
    """Those without any: room that was allocated and not yet written to."""
    open: dict[Attempt, tuple[Segment, Begun, Passed | None]] = field(default_factory=dict)
    """Begun and never ended, with the last that passed."""
    unsent: int = 0
    """Events after the position acknowledged."""
    last_number: int = 0


def look(folder: Path, sent: Position) -> Left:
    """Blocking; nothing is written, files without room go. Raises ``OSError`` if the folder cannot be read,
    or what is in it cannot be synced."""
    left = Left()
    for number in numbers(folder):
        left.last_number = number
        path = place(folder, number)
        data = _read_synced(path)
        if not data:  # its room was not taken yet when the gateway ended
            path.unlink()
            continue
        segment = Segment(path, number, len(data))
        for record in scan(data):
            segment.used = segment.durable = record.end
            if record.kind == BEGAN:
                begun = decode_begun(record.payload)
                left.open[begun.request_id, begun.attempt] = (segment, begun, None)
                segment.open += 1
            elif record.kind == ENDED:
                _end(left, Position(number, record.end), record.payload, sent)
            else:
                _pass(left, decode_passed(record.payload))
        (left.segments if segment.used else left.empty).append(segment)
    return left


def _read_synced(path: Path) -> bytes:
    """What a killed process wrote may be in memory only: synced before anybody is told of it."""
    with path.open("rb") as file:
        os.fdatasync(file.fileno())
        return file.read()


def _pass(left: Left, passed: Passed) -> None:
    key = (passed.request_id, passed.attempt)
    known = left.open.get(key)
    if known is not None:
        left.open[key] = (known[0], known[1], passed)


def _end(left: Left, at: Position, payload: bytes, sent: Position) -> None:
    key = decode_key(payload)
    known = left.open.pop((key.request_id, key.attempt), None)
    if known is not None:
        known[0].ended(at.segment, at.offset)
    if at > sent:
        left.unsent += 1
