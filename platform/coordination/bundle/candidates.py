"""Do a bundle and a directory, each verified, make what a pointer asks for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordination.bundle.directory import FILE, Directory, read_directory
from coordination.bundle.keys import PublicKey
from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused, RefusedError, refuse
from coordination.bundle.verification import Accepted, Expectations, verify_bundle
from coordination.program.canonical import sha256_digest


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle and a directory, both verified, that belong together."""

    bundle: Accepted
    directory: Directory
    directory_digest: str

    @property
    def pair(self) -> tuple[str, str]:
        return (self.bundle.digest, self.directory_digest)


@dataclass(frozen=True, slots=True)
class Verify:
    """An effect: run ``verify_parts`` on this, off the data path. Answer: ``Verified``."""

    number: int
    pointer: Pointer
    bundle: tuple[bytes, bytes] | Accepted
    """(tar, envelope), or the bundle that serves already."""
    directory: bytes | Directory
    trusted: Mapping[str, PublicKey]
    expectations: Expectations
    least_serial: tuple[int, str] | None
    """Serial and digest of the directory that serves: only a later one may replace it."""


def verify_parts(work: Verify) -> Candidate | Refused:
    """What ``Verify`` asks for. Pure; may run anywhere. Never raises for the bytes in ``work``."""
    try:
        if isinstance(work.bundle, Accepted):
            bundle = work.bundle
        else:
            bundle = verify_bundle(*work.bundle, work.trusted, work.expectations)
        return _with_directory(work, bundle)
    except RefusedError as error:
        return error.refused


def _with_directory(work: Verify, bundle: Accepted) -> Candidate:
    wanted = work.pointer.directory
    if not isinstance(work.directory, bytes):
        return Candidate(bundle, work.directory, wanted)
    if sha256_digest(work.directory) != wanted:
        raise refuse("digest_mismatch", "not the directory the pointer names", file=FILE)
    directory = read_directory(work.directory)
    if directory.environment != work.pointer.environment:
        raise refuse("wrong_environment", f"of {directory.environment}", file=FILE)
    if work.least_serial is not None:
        serial, digest = work.least_serial
        if wanted != digest and directory.serial <= serial:
            raise refuse(
                "replayed_serial",
                f"directory {directory.serial} does not follow {serial}: a revoked key would live again",
                file=FILE,
                json_pointer="/serial",
            )
    return Candidate(bundle, directory, wanted)
