"""Where does a gateway keep what it runs, so that a crash at any instant leaves something whole?

    DIR/identity.json          who this gateway is (mode 0600)
    DIR/current -> states/N    the state it serves from; the link is swapped by one rename
    DIR/states/N/              root.json, pointer.dsse.json, bundle.tar, bundle.dsse.json, directory.json

A state folder is written beside the others and synced before the link points at it. A folder that
holds the five files itself, with no ``current``, is read just the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from coordination.bundle.refusals import Refused
from coordination.bundle.state_folder import FILES

CURRENT = "current"
STATES = "states"
KEEP = 2
"""States kept: the one served from, and the one before."""


def read(folder: Path) -> dict[str, bytes]:
    """The files of the current state; those that cannot be read are left out (loading refuses then)."""
    place = folder / CURRENT if (folder / CURRENT).is_dir() else folder
    found: dict[str, bytes] = {}
    for name in FILES:
        with contextlib.suppress(OSError):
            found[name] = (place / name).read_bytes()
    return found


def write(folder: Path, files: Mapping[str, bytes], *, label: str) -> Refused | None:
    """Make a new current state, or change nothing and say why (``persist_failed``).

    ``files`` are those that change; the others are carried over from the current state, by link.
    ``label`` names the new state's folder, and must sort after the labels before it.
    """
    states = folder / STATES
    current = folder / CURRENT
    fresh = states / f".new-{label}"
    try:
        states.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for name in FILES:
            if name in files:
                _write_synced(fresh / name, files[name])
            elif (current / name).exists():
                os.link((current / name).resolve(), fresh / name)
        _sync(fresh)
        final = states / label
        if final.exists():
            shutil.rmtree(final)
        fresh.rename(final)
        _sync(states)
        _swap_link(folder, final)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        return Refused("persist_failed", f"{error.strerror or error} ({folder})")
    _prune(states, keep=final)
    return None


def _swap_link(folder: Path, target: Path) -> None:
    link = folder / f".{CURRENT}-new"
    link.unlink(missing_ok=True)
    link.symlink_to(target.relative_to(folder), target_is_directory=True)
    link.rename(folder / CURRENT)
    _sync(folder)


def _prune(states: Path, *, keep: Path) -> None:
    """Old states, and what a kill between two steps left. What cannot be removed is harmless."""
    named = sorted((p for p in states.iterdir() if not p.name.startswith(".")), key=lambda p: p.name)
    older = [path for path in named if path != keep]
    for path in older[: len(older) - (KEEP - 1)]:
        shutil.rmtree(path, ignore_errors=True)
    for path in states.glob(".new-*"):
        shutil.rmtree(path, ignore_errors=True)


def _write_synced(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
