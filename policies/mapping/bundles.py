"""How is a bundle put together again from its stored files, and taken apart to be stored?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from coordination.bundle.archive import write_tar
from coordination.bundle.manifest import FILE, read_manifest
from coordination.bundle.pack import PackedBundle, unpack
from coordination.program import timeline
from policies import selectors
from policies.models import Bundle, BundleFile

SIGHT = timedelta(microseconds=timeline.SIGHT)


def timeline_end(bundle: str) -> datetime | None:
    """From when nothing recurs any more under a bundle; None for one that was not built here."""
    at = selectors.build_at(bundle)
    return None if at is None else at + SIGHT


def bundle_files(stored: Bundle) -> dict[str, bytes]:
    """Path -> content of every file of a bundle, its manifest among them."""
    manifest = bytes(stored.manifest)
    listed = read_manifest(manifest).files
    contents = selectors.file_contents({entry.sha256 for entry in listed})
    return {FILE: manifest, **{entry.path: contents[entry.sha256] for entry in listed}}


def bundle_tar(digest: str) -> bytes | None:
    """The bundle as it is sent: the same bytes every time. None when there is none of that name."""
    stored = selectors.bundle(digest)
    return None if stored is None else write_tar(bundle_files(stored))


def bundle_file(digest: str, sha256: str) -> bytes | None:
    """One file of one bundle. A file that only other bundles hold is not found here."""
    stored = selectors.bundle(digest)
    if stored is None:
        return None
    if all(entry.sha256 != sha256 for entry in read_manifest(bytes(stored.manifest)).files):
        return None
    return selectors.file_contents([sha256]).get(sha256)


def rows_of(packed: PackedBundle, *, environment: str, now: datetime) -> tuple[Bundle, Sequence[BundleFile]]:
    """The rows that hold a packed bundle."""
    contents = unpack(packed.tar)
    listed = contents.manifest.files
    files = {entry.sha256: contents.files[entry.path] for entry in listed}
    bundle = Bundle(
        digest=packed.digest,
        environment=environment,
        manifest=packed.manifest,
        size=sum(entry.size for entry in listed),
        created_at=now,
    )
    return bundle, [BundleFile(sha256=sha256, content=content) for sha256, content in files.items()]


def root_tree_of(manifest: bytes) -> str:
    """The root of the documents a bundle says it was made of."""
    return read_manifest(manifest).root_tree
