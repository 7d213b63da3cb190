"""Where are the files of traces? In a folder of the state, outside what is served, named by their content.

A name somebody sent never becomes part of a path. In a scaled installation every web process and every
worker of simulations sees the same folder.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

SUFFIXES = {"mooncake": ".jsonl", "azure": ".csv", "recording": ".jsonl", "workload": ".json"}


class TooLarge(Exception):
    """More bytes than a trace may have."""


def folder() -> Path:
    """Made for its owner only when it is missing."""
    found = Path(settings.HEADWAY_TRACE_FOLDER)
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def path_of(digest: str, format_: str) -> Path:
    """The file of a trace, whether or not it is there."""
    name = digest.removeprefix("sha256:")
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise ValueError(f"no digest: {digest[:80]!r}")
    return Path(settings.HEADWAY_TRACE_FOLDER) / f"{name}{SUFFIXES[format_]}"


def receive(chunks: Iterable[bytes], most: int) -> Path:
    """What comes, in a file of no name yet. Raises ``TooLarge`` once it is longer than ``most`` bytes."""
    path = folder() / f".incoming-{secrets.token_hex(16)}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    size = 0
    try:
        with os.fdopen(handle, "wb") as out:
            for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise TooLarge
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def keep(incoming: Path, digest: str, format_: str) -> Path:
    """Give what came its name. The same content is the same file."""
    path = path_of(digest, format_)
    incoming.replace(path)
    return path


def discard(digest: str, format_: str) -> None:
    path_of(digest, format_).unlink(missing_ok=True)
