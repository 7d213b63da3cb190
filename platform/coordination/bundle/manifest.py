"""What does a bundle say of itself? Its identity is the digest of these exact bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from coordination.bundle.refusals import refuse
from coordination.bundle.values import Digest, Instant, Name, Value, decode

FILE = "manifest.json"
FORMAT_VERSION: Literal[1] = 1

Feature = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]


class ManifestFile(Value, frozen=True):
    path: str
    sha256: Digest
    size: Annotated[int, Meta(ge=0)]


class Manifest(Value, frozen=True):
    """Everything a build was a function of, and every file it made."""

    format_version: Literal[1]
    root_tree: Digest
    """The documents it was built from: equal trees build equal bundles."""
    environment: Name
    at: Instant
    """Start of the timeline: midnight UTC."""
    compiler: str
    tzdata: str
    """Version of the zone data that calendar limits were resolved with."""
    must_understand: tuple[Feature, ...]
    """Features without which a gateway would enforce something else; sorted."""
    files: tuple[ManifestFile, ...]
    """Every other file of the archive, sorted by path."""


def read_manifest(data: bytes) -> Manifest:
    """Raises ``RefusedError`` with ``malformed_manifest``."""
    manifest = decode(data, Manifest, code="malformed_manifest", file=FILE)
    for field, names in (
        ("files", [entry.path for entry in manifest.files]),
        ("must_understand", list(manifest.must_understand)),
    ):
        if names != sorted(set(names)):
            raise refuse(
                "malformed_manifest", "not sorted, or one twice", file=FILE, json_pointer=f"/{field}"
            )
    return manifest
