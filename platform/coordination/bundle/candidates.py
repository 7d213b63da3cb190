"""Do a bundle and a directory, each verified, make what a pointer asks for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordination.bundle.directory import Directory, open_directory
from coordination.bundle.keys import PublicKey
from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused, RefusedError
from coordination.bundle.verification import Accepted, Expectations, verify_bundle


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
    serving_directory: tuple[int, str] | None
    """Serial and digest: only a later one may replace it."""


def verify_parts(work: Verify) -> Candidate | Refused:
    """What ``Verify`` asks for. Pure; may run anywhere. Never raises for the bytes in ``work``."""
    try:
        if isinstance(work.bundle, Accepted):
            bundle = work.bundle
        else:
            bundle = verify_bundle(*work.bundle, work.trusted, work.expectations)
        directory = work.directory
        if isinstance(directory, bytes):
            directory = open_directory(
                directory,
                digest=work.pointer.directory,
                environment=work.pointer.environment,
                after=work.serving_directory,
            )
        return Candidate(bundle, directory, work.pointer.directory)
    except RefusedError as error:
        return error.refused
