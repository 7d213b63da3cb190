"""May this policy be served? Files are read, wholly verified, self-tested, and become one value.

Nothing here is served from until all of it holds; what serves is swapped by one assignment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from coordination.bundle import directory as directories
from coordination.bundle.directory import Directory, read_directory
from coordination.bundle.keys import KeyFormatError, PublicKey
from coordination.bundle.overrides import FEATURES, Override, trusted_by
from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused, RefusedError
from coordination.bundle.state_folder import FILES, load_state
from coordination.bundle.verification import ENVELOPE_FILE, TAR_FILE, Accepted, Expectations, accept
from coordination.program.index import Program, load
from coordination.program.records import ProgramRecords, Vector
from coordination.scheduling import run_vectors
from gateway.settings import GatewaySettings

KEY_FILE = "key"
Fingerprint = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Active:
    """What is being enforced. Replaced as a whole, never changed."""

    digest: str
    """Of the bundle."""
    environment: str
    program: Program
    directory: Directory
    stale: bool
    """The pointer has expired; serving goes on."""
    pointer: dict[str, int | str] | None
    """Ring, serial and version, if a pointer led here."""
    overrides: tuple[Override, ...] = ()
    """That pointer's."""
    order: tuple[int, int] = (0, 0)
    rollback: bool = False
    """That pointer brings an earlier release back."""
    trusted: Mapping[str, PublicKey] = field(default_factory=dict)
    """Whose signature by hand counts."""


class Source(Protocol):
    """Where the files of a policy are."""

    def fingerprint(self) -> Fingerprint:
        """Changes whenever a file may have changed."""

    def load(self, now_us: int) -> Active | Refused:
        """Read, verify and self-test. Never raises for what the files hold."""


class BundleFiles:
    """A bundle, its envelope, a trusted key and a directory: nothing tells of a newer one."""

    def __init__(self, bundle: Path, key: Path, directory: Path) -> None:
        self._paths = {
            TAR_FILE: bundle,
            ENVELOPE_FILE: bundle.with_name(bundle.name + ".dsse.json"),
            KEY_FILE: key,
            directories.FILE: directory,
        }

    def fingerprint(self) -> Fingerprint:
        return tuple(_stamp(name, path) for name, path in self._paths.items())

    def load(self, now_us: int) -> Active | Refused:  # noqa: ARG002 - these files do not expire
        try:
            files = {name: path.read_bytes() for name, path in self._paths.items()}
        except OSError as error:
            return Refused("missing_file", _reason(error), file=str(error.filename))
        try:
            key = PublicKey.from_pem(files[KEY_FILE])
            keys = read_directory(files[directories.FILE], canonical=False)
        except KeyFormatError as error:
            return Refused("unknown_key", str(error), file=str(self._paths[KEY_FILE]))
        except RefusedError as error:
            return error.refused
        tested = Tested()
        accepted = accept(
            files[TAR_FILE],
            files[ENVELOPE_FILE],
            {key.key_id: key},
            Expectations(environment=keys.environment),
            tested,
        )
        if isinstance(accepted, Refused):
            return accepted
        return _active(accepted, tested.program, keys, trusted={key.key_id: key})


class StateFolder:
    """The folder of 03: root, pointer, bundle, envelope, directory; replaced as a whole.

    In a subscriber's folder that is ``current`` inside it.
    """

    def __init__(self, folder: Path) -> None:
        self._given = folder

    @property
    def _folder(self) -> Path:
        current = self._given / "current"
        return current if current.is_dir() else self._given

    def fingerprint(self) -> Fingerprint:
        folder = self._folder
        return tuple(_stamp(name, folder / name) for name in FILES)

    def load(self, now_us: int) -> Active | Refused:
        try:
            files = self._read()
        except OSError as error:
            return Refused("missing_file", _reason(error), file=str(error.filename))
        tested = Tested()
        state = load_state(files, tested, now=now_us, features=FEATURES)
        if isinstance(state, Refused):
            return state
        return _active(
            state.bundle,
            tested.program,
            state.directory,
            stale=state.stale,
            pointer=state.pointer,
            trusted=trusted_by(state.root),
        )

    def _read(self) -> Mapping[str, bytes]:
        """All files of one folder, even if another is renamed over it meanwhile."""
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            files = {}
            for name in FILES:
                with open(os.open(name, os.O_RDONLY, dir_fd=handle), "rb") as file:
                    files[name] = file.read()
            return files
        finally:
            os.close(handle)


class Tested:
    """A self-test that keeps the program it tried, which is then the one to serve: it is indexed once."""

    program: Program

    def __call__(self, records: ProgramRecords, vectors: list[Vector]) -> list[str]:
        self.program = load(records)
        return run_vectors(self.program, vectors)


def source_of(settings: GatewaySettings) -> Source:
    """The files that ``settings`` name. ``ValueError`` as from ``require_one_way``."""
    settings.require_one_way()
    if settings.bundle and settings.key and settings.directory:
        return BundleFiles(settings.bundle, settings.key, settings.directory)
    return StateFolder(settings.state or Path())


def _active(
    accepted: Accepted,
    program: Program,
    keys: Directory,
    *,
    stale: bool = False,
    pointer: Pointer | None = None,
    trusted: Mapping[str, PublicKey],
) -> Active:
    program.follow(keys.shares, keys.limits)  # here, beside what serves: the loop need not
    return Active(
        digest=accepted.digest,
        environment=accepted.records.environment,
        program=program,
        directory=keys,
        stale=stale,
        pointer=release_of(pointer),
        overrides=pointer.overrides if pointer is not None else (),
        order=pointer.order if pointer is not None else (0, 0),
        rollback=pointer is not None and pointer.rollback_of is not None,
        trusted=trusted,
    )


def release_of(pointer: Pointer | None) -> dict[str, int | str] | None:
    """What is told of a pointer that was followed."""
    if pointer is None:
        return None
    return {"ring": pointer.ring, "serial": pointer.serial, "version": pointer.version}


def _stamp(name: str, path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (name, 0, 0, 0)
    return (name, found.st_ino, found.st_mtime_ns, found.st_size)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
