"""Is this bundle wholly what a trusted key signed, and does it do here what it promised?

The order matters: nothing of an archive is looked at before a signature over its manifest holds, and
nothing of a program before its bytes are those the manifest names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coordination.bundle import dsse, manifest
from coordination.bundle.archive import Limits
from coordination.bundle.keys import PublicKey
from coordination.bundle.manifest import Manifest, read_manifest
from coordination.bundle.pack import unpack
from coordination.bundle.refusals import Refused, RefusedError, refuse
from coordination.program.canonical import sha256_digest
from coordination.program.records import ProgramRecords, Vector
from coordination.program.shards import (
    PROGRAM,
    SELF_TESTS,
    MalformedProgramError,
    decode,
    decode_vectors,
)

TAR_FILE = "bundle.tar"
ENVELOPE_FILE = "bundle.dsse.json"

SelfTest = Callable[[ProgramRecords, list[Vector]], list[str]]
"""Runs the vectors against the program; returns one sentence for each that fails."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the receiver knows of a bundle before it opens it."""

    environment: str | None = None
    """``None``: any."""
    digest: str | None = None
    """The one its pointer names; ``None``: any."""
    threshold: int = 1
    features: frozenset[str] = frozenset()
    """What this receiver understands beyond the format itself."""
    limits: Limits = Limits()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Accepted:
    """A bundle whose every byte is verified."""

    digest: str
    manifest: Manifest
    records: ProgramRecords
    vectors: list[Vector]
    files: Mapping[str, bytes]


def accept(
    bundle: bytes,
    envelope: bytes,
    trusted: Mapping[str, PublicKey],
    expectations: Expectations,
    self_test: SelfTest,
) -> Accepted | Refused:
    """Verify and self-test a bundle; ``trusted`` are the keys of the bundle role, by key id.

    Never raises for anything in ``bundle`` or ``envelope``: whatever is wrong comes back coded.
    """
    try:
        accepted = verify_bundle(bundle, envelope, trusted, expectations)
    except RefusedError as error:
        return error.refused
    failures = self_test(accepted.records, accepted.vectors)
    return self_test_refusal(failures) or accepted


def self_test_refusal(failures: list[str]) -> Refused | None:
    """The refusal that failing self-tests amount to."""
    if not failures:
        return None
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return Refused("self_test_failed", f"{failures[0]}{more}")


def verify_bundle(
    bundle: bytes, envelope: bytes, trusted: Mapping[str, PublicKey], expectations: Expectations
) -> Accepted:
    """Everything but the self-tests. Raises ``RefusedError``."""
    signed = dsse.verify(envelope, dsse.BUNDLE, trusted, threshold=expectations.threshold, file=ENVELOPE_FILE)
    digest = sha256_digest(signed)
    if expectations.digest not in (None, digest):
        raise refuse(
            "digest_mismatch",
            f"the envelope is of {digest}, not of {expectations.digest}",
            file=ENVELOPE_FILE,
        )
    described = read_manifest(signed)
    _require_suitable(described, expectations)
    contents = unpack(bundle, expectations.limits, signed=signed)
    try:
        records = decode(contents.under(PROGRAM))
        vectors = decode_vectors(contents.under(SELF_TESTS))
    except MalformedProgramError as error:
        raise refuse(
            "malformed_program", error.message, file=error.path, json_pointer=error.json_pointer
        ) from None
    if (records.environment, records.at) != (described.environment, described.at):
        raise refuse("malformed_program", "the program is of another build than the manifest", file=PROGRAM)
    return Accepted(digest, described, records, vectors, contents.files)


def _require_suitable(described: Manifest, expectations: Expectations) -> None:
    if expectations.environment not in (None, described.environment):
        raise refuse(
            "wrong_environment",
            f"built for {described.environment}, not for {expectations.environment}",
            file=manifest.FILE,
            json_pointer="/environment",
        )
    unknown = [name for name in described.must_understand if name not in expectations.features]
    if unknown:
        raise refuse(
            "unknown_feature",
            f"needs {', '.join(unknown)}, which this gateway does not understand",
            file=manifest.FILE,
            json_pointer="/must_understand",
        )
