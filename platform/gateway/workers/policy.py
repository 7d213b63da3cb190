"""How does a worker get the policy? From its parent, which verified it: by a pipe of its own, in pieces.

What a worker needs of a policy is megabytes; on the link of the requests it would hold decisions up. Both
ends are threads beside the loop, and no piece is so large that packing or unpacking it holds the loop up.
The pipe is also the leash: its end means that the parent is gone.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from coordination.bundle.directory import Directory, KeyEntry
from coordination.program.index import load
from coordination.program.records import ProgramRecords
from gateway.activation import Active
from gateway.workers.messages import LENGTH, Garbled

PIECE: Final = 200
"""Records of one kind, or keys, that are packed at once."""
ENCODE: Final = msgspec.msgpack.Encoder().encode
KINDS: Final[dict[str, Any]] = {
    field.name: field.type
    for field in msgspec.structs.fields(ProgramRecords)
    if field.name not in ("environment", "at")
}


class Opening(msgspec.Struct, array_like=True):
    """What a worker is told first."""

    offset: int
    """Of the parent's policy clock: all tell the same time."""
    salt: int
    region: str
    tls_cert: str | None
    tls_key: str | None
    replica_ca: str | None


class Preamble(msgspec.Struct, array_like=True):
    """What follows: a directory if it is new, then the records if they are."""

    number: int
    digest: str
    environment: str
    at: int
    directory: bool
    keys: int
    """How many pieces of the directory's keys follow it."""
    pieces: int
    """How many follow; 0: the records are those of the policy before."""


def packed(number: int, active: Active, before: Active | None) -> list[bytes]:
    """The frames that make ``active`` out of ``before``. Long, so in a thread."""
    records = active.program.records
    pieces = [] if before is not None and before.program is active.program else list(_pieces(records))
    fresh = before is None or before.directory is not active.directory
    keys = list(_pieces_of(active.directory)) if fresh else []
    head = Preamble(number, active.digest, active.environment, records.at, fresh, len(keys), len(pieces))
    rest = [ENCODE(msgspec.structs.replace(active.directory, keys={}))] if fresh else []
    return [ENCODE(head), *rest, *keys, *pieces]


def _pieces_of(directory: Directory) -> Iterator[bytes]:
    keys = iter(directory.keys.items())
    while piece := dict(islice(keys, PIECE)):
        yield ENCODE(piece)


def _pieces(records: ProgramRecords) -> Iterator[bytes]:
    for kind in KINDS:
        entries = getattr(records, kind)
        for start in range(0, len(entries), PIECE):
            yield ENCODE((kind, entries[start : start + PIECE]))
    yield ENCODE(("", ()))


def send(sock: socket.socket, frames: list[bytes]) -> None:
    """Blocking. ``OSError`` if the worker is gone."""
    for frame in frames:
        sock.sendall(LENGTH.pack(len(frame)) + frame)


class Receiver:
    """A worker's end. Everything blocks; ``EOFError`` when the parent is gone."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._file = sock.makefile("rb")
        self._last: Active | None = None

    def opening(self) -> Opening:
        return msgspec.msgpack.decode(self._frame(), type=Opening)

    def next(self) -> tuple[int, Active]:
        """The next policy, loaded, and its number."""
        head = msgspec.msgpack.decode(self._frame(), type=Preamble)
        last = self._last
        if last is None and not (head.directory and head.pieces):
            raise Garbled("the first policy must be whole")
        if head.directory:
            directory = msgspec.msgpack.decode(self._frame(), type=Directory)
            for _ in range(head.keys):
                directory.keys.update(msgspec.msgpack.decode(self._frame(), type=dict[str, KeyEntry]))
        else:
            assert last is not None  # noqa: S101 - looked at above
            directory = last.directory
        if head.pieces:
            program = load(self._records(head))
        else:
            assert last is not None  # noqa: S101 - looked at above
            program = last.program
        made = Active(head.digest, head.environment, program, directory, stale=False, pointer=None)
        self._last = made
        return head.number, made

    def _records(self, head: Preamble) -> ProgramRecords:
        found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        for _ in range(head.pieces):
            kind, entries = msgspec.msgpack.decode(self._frame(), type=tuple[str, msgspec.Raw])
            if kind:
                found[kind] += msgspec.msgpack.decode(entries, type=KINDS[kind])
        made = {kind: tuple(entries) for kind, entries in found.items()}
        return ProgramRecords(environment=head.environment, at=head.at, **made)

    def _frame(self) -> bytes:
        (size,) = LENGTH.unpack(self._exactly(LENGTH.size))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        return data
