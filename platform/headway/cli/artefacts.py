"""How do commands read and write bundles, envelopes and keys, and say why they cannot?"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

COULD_NOT_RUN = 2
STDIN = Path("-")
DOCUMENTS = {".yaml", ".yml", ".json"}
"""Suffixes of files that hold documents of a policy set."""
LARGEST = 512 * 1024 * 1024
"""Bytes: above every limit of the readers, so that theirs are what refuses."""


class CouldNotRun(Exception):
    """A path or an option makes no sense; exit 2."""


@contextlib.contextmanager
def reporting(command: str) -> Iterator[None]:
    """Turns what stops a command before it has an answer into one line and exit 2."""
    try:
        yield
    except CouldNotRun as problem:
        print(f"headway {command}: {problem}", file=sys.stderr)
        raise SystemExit(COULD_NOT_RUN) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"headway {command}: {where}{(error.strerror or str(error)).lower()}", file=sys.stderr)
        raise SystemExit(COULD_NOT_RUN) from None


def read_file(path: Path) -> bytes:
    """The file's bytes, ``-`` being stdin; refuses what could not be one of ours without reading it all."""
    if path == STDIN:
        data = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CouldNotRun(f"{path} is larger than {LARGEST} bytes")
    return data


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replaces ``path`` in one step: a reader finds the old file or the new one, never half of one."""
    if not path.parent.is_dir():  # told here, or the error would name a file that nobody asked for
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def envelope_of(bundle: Path) -> Path:
    """``FILE.dsse.json`` beside ``FILE``."""
    return bundle.with_name(f"{bundle.name}.dsse.json")


def iso(instant: int) -> str:
    """Microseconds since 1970 as RFC 3339."""
    return datetime.fromtimestamp(instant / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
