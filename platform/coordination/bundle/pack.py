"""How does a compiled policy become a bundle, and which files does a bundle hold?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coordination.bundle.archive import Limits, read_tar, write_tar
from coordination.bundle.manifest import FILE, FORMAT_VERSION, Manifest, ManifestFile, read_manifest
from coordination.bundle.refusals import refuse
from coordination.bundle.values import check, encode
from coordination.program.canonical import sha256_digest
from coordination.program.records import ProgramRecords, Vector
from coordination.program.shards import encode as encode_program
from coordination.program.shards import encode_vectors
from coordination.program.source_map import SourceMap, encode_source_map


@dataclass(frozen=True, slots=True)
class PackedBundle:
    """A bundle as it is stored and sent. ``digest`` is its identity: that of the manifest's bytes."""

    tar: bytes
    manifest: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a tar was found to hold: the files beside the manifest agree with it in every byte."""

    manifest: Manifest
    manifest_bytes: bytes
    digest: str
    files: Mapping[str, bytes]

    def under(self, folder: str) -> dict[str, bytes]:
        """The files whose path begins with ``folder/``."""
        return {path: data for path, data in self.files.items() if path.startswith(f"{folder}/")}


def pack(
    records: ProgramRecords,
    source_map: SourceMap,
    vectors: Sequence[Vector],
    *,
    root_tree: str,
    compiler: str,
    tzdata: str,
    must_understand: Iterable[str] = (),
    targets: Mapping[str, bytes] | None = None,
) -> PackedBundle:
    """The bundle of a compiled policy: the same arguments give the same bytes on every machine.

    ``root_tree`` is the digest of the documents, ``targets`` further files under ``targets/``.
    """
    files = encode_program(records) | encode_source_map(source_map) | encode_vectors(tuple(vectors))
    for path, data in (targets or {}).items():
        if not path.startswith("targets/"):
            raise ValueError(f"{path} is not under targets/")
        files[path] = data
    manifest = check(
        Manifest(
            format_version=FORMAT_VERSION,
            root_tree=root_tree,
            environment=records.environment,
            at=records.at,
            compiler=compiler,
            tzdata=tzdata,
            must_understand=tuple(sorted(set(must_understand))),
            files=tuple(
                ManifestFile(path=path, sha256=sha256_digest(data), size=len(data))
                for path, data in sorted(files.items())
            ),
        )
    )
    data = encode(manifest)
    return PackedBundle(tar=write_tar({FILE: data, **files}), manifest=data, digest=sha256_digest(data))


def unpack(tar: bytes, limits: Limits | None = None, *, signed: bytes | None = None) -> Contents:
    """The files of a bundle, each checked against the manifest beside it.

    ``signed``: the manifest as a verified envelope holds it, which the archive's must equal. Without
    it nothing is said of who made the bundle.
    Raises ``RefusedError``: those of ``read_tar``, ``missing_file``, ``malformed_manifest``,
    ``digest_mismatch``.
    """
    files = read_tar(tar, limits)
    data = files.pop(FILE, None)
    if data is None:
        raise refuse("missing_file", "the archive has no manifest", file=FILE)
    if signed is not None and data != signed:
        # Before it is read: a damaged transfer must not look like a bad manifest.
        raise refuse("digest_mismatch", "not the manifest that was signed", file=FILE)
    manifest = read_manifest(data)
    listed = {entry.path: entry for entry in manifest.files}
    for path in sorted(listed.keys() | files.keys()):
        if path not in files:
            raise refuse("digest_mismatch", "listed in the manifest but not there", file=path)
        if path not in listed:
            raise refuse("digest_mismatch", "there but not listed in the manifest", file=path)
        if listed[path].size != len(files[path]) or listed[path].sha256 != sha256_digest(files[path]):
            raise refuse("digest_mismatch", "not the bytes the manifest names", file=path)
    return Contents(manifest, data, sha256_digest(data), files)
