"""Where does the log lie? In files of one size whose room is taken before anything is written to it.

    DIR/lock                     held for as long as a gateway writes here
    DIR/0000000000000001.wal     records, then zeros
    DIR/sent.json                up to where the ledger has acknowledged; losing it only sends again

A write into room that was allocated before cannot run out of disk: a full disk shows when the next
segment is made, off the data path, while the open attempts still have room for their ends. So what is
written to is mapped, and a record is one copy in memory: the kernel's own, which outlives the process.
"""

from __future__ import annotations

import fcntl
import os
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

import msgspec

SUFFIX = ".wal"
SENT = "sent.json"


class JournalInUse(Exception):
    """Another gateway writes to this folder."""


class Position(NamedTuple):
    """A place in the log; positions compare as they were written."""

    segment: int
    offset: int


class Segment:
    """One file. Written by the event loop alone; synced and read by others up to ``durable``."""

    __slots__ = (
        "_closed_in",
        "_closed_upto",
        "_fd",
        "_room",
        "durable",
        "number",
        "open",
        "path",
        "size",
        "used",
    )

    def __init__(self, path: Path, number: int, size: int, *, fd: int = -1, used: int = 0) -> None:
        """``fd``: to write to it. Raises ``OSError`` where files cannot be mapped."""
        self.path = path
        self.number = number
        self.size = size
        self._fd = fd
        """-1 once it is only read."""
        self._room = mmap(fd, size) if fd >= 0 else None
        self.used = used
        self.durable = used
        """Bytes that a loss of power would leave."""
        self.open = 0
        """Attempts begun here that have not ended."""
        self._closed_in = self._closed_upto = 0

    @property
    def free(self) -> int:
        return self.size - self.used

    @property
    def closed_at(self) -> Position:
        """Where the last end of an attempt begun here was written."""
        return Position(self._closed_in, self._closed_upto)

    def ended(self, segment: int, offset: int) -> None:
        """An attempt that was begun here has its end before that place."""
        self._closed_in = segment
        self._closed_upto = offset
        self.open -= 1  # last: with none open the segment may go

    def append(self, record: bytes) -> None:
        """Into room that is there: the caller has seen that it fits. A kill right after it loses nothing."""
        used = self.used
        end = used + len(record)
        self._room[used:end] = record  # type: ignore[index]  # only what is open is written to
        self.used = end  # last: up to there it may be synced, and then read

    def sync(self) -> None:
        """Blocking. Raises ``OSError``."""
        used = self.used
        if used > self.durable:
            os.fdatasync(self._fd)
            self.durable = used

    def read(self, offset: int, limit: int) -> bytes:
        """Blocking: at most ``limit`` durable bytes from ``offset``."""
        count = min(limit, self.durable - offset)
        if self._fd >= 0:
            return os.pread(self._fd, count, offset)
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def reopen(self) -> None:
        """Write on where the last whole record ended. Blocking. Raises ``OSError``."""
        self._fd = os.open(self.path, os.O_RDWR)
        os.posix_fallocate(self._fd, 0, self.size)  # a copy of it may have come without its room
        self._room = mmap(self._fd, self.size)

    def close(self) -> None:
        if self._room is not None:
            self._room.close()
            self._room = None
            os.close(self._fd)
            self._fd = -1


def lock(folder: Path) -> int:
    """The descriptor that holds the folder until it is closed. Raises ``JournalInUse``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise JournalInUse(
            f"another gateway writes its usage to {folder}: end it, or give this one a --state of its own"
        ) from None
    return held


def numbers(folder: Path) -> list[int]:
    """Of the segments there, ascending."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())


def place(folder: Path, number: int) -> Path:
    return folder / f"{number:016d}{SUFFIX}"


def make(folder: Path, number: int, size: int) -> Segment:
    """A new segment with all its room allocated. Blocking. Raises ``OSError``: the disk is full, say."""
    path = place(folder, number)
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
        os.fsync(fd)
        _sync_folder(folder)
        return Segment(path, number, size, fd=fd)
    except OSError:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise


def read_sent(folder: Path) -> Position:
    """Up to where everything was acknowledged; the beginning, if that is not known."""
    try:
        said = msgspec.json.decode((folder / SENT).read_bytes(), type=tuple[int, int])
    except (OSError, msgspec.DecodeError):
        return Position(0, 0)
    return Position(*said)


def write_sent(folder: Path, position: Position) -> None:
    """Blocking, whole or not at all. Not synced: an older position only sends again. Raises ``OSError``."""
    fresh = folder / f".{SENT}-new"
    fresh.write_bytes(msgspec.json.encode(position))
    fresh.replace(folder / SENT)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
