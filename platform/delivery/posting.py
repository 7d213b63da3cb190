"""What do the delivery endpoints read from the database? The posting, and immutable bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import connection

from coordination.bundle.archive import write_tar
from coordination.bundle.manifest import FILE as MANIFEST
from coordination.bundle.manifest import read_manifest
from delivery import trust
from delivery.board import Caller, Posted, Posting
from delivery.models import DirectoryVersion, Pointer, Release, TrustRoot
from fleet.selectors import identities
from policies.models import Bundle, BundleFile

T = TypeVar("T")


def _read() -> Posting:
    try:
        rows = Pointer.objects.values_list("ring__environment_id", "ring__name", "envelope", "etag")
        return Posting(
            pointers={
                (environment, ring): Posted(bytes(envelope), etag)
                for environment, ring, envelope, etag in rows
            },
            callers={
                digest: Caller(who.gateway, who.environment, who.ring) for digest, who in identities().items()
            },
        )
    finally:
        connection.close()


read_posting = sync_to_async(_read, thread_sensitive=False)


class DatabaseArchive:
    """Immutable bytes, for gateways of the environment that may have them; called in threads."""

    def bundle(self, environment: str, digest: str) -> bytes | None:
        """The archive, made of its files: the same bytes every time."""
        return self._closing(lambda: _tar(digest) if _released(environment, digest) else None)

    def envelope(self, environment: str, digest: str) -> bytes | None:
        return self._closing(
            lambda: trust.bundle_envelope(digest) if _released(environment, digest) else None
        )

    def file(self, environment: str, digest: str, sha: str) -> bytes | None:
        return self._closing(lambda: _file(digest, sha) if _released(environment, digest) else None)

    def directory(self, environment: str, digest: str) -> bytes | None:
        def find() -> bytes | None:
            row = DirectoryVersion.objects.filter(digest=digest, environment=environment).first()
            return bytes(row.content) if row else None

        return self._closing(find)

    def root(self, version: int) -> bytes | None:
        def find() -> bytes | None:
            row = TrustRoot.objects.filter(version=version).first()
            return bytes(row.envelope) if row else None

        return self._closing(find)

    @staticmethod
    def _closing(find: Callable[[], T]) -> T:
        try:
            return find()
        finally:
            connection.close()


def _released(environment: str, digest: str) -> bool:
    """A gateway may have the bundles that were ever released to its environment, and no others."""
    return Release.objects.filter(environment=environment, bundle=digest).exists()


@lru_cache(maxsize=4)
def _tar(digest: str) -> bytes | None:
    bundle = Bundle.objects.filter(digest=digest).first()
    if bundle is None:
        return None
    manifest = bytes(bundle.manifest)
    paths = {entry.path: entry.sha256 for entry in read_manifest(manifest).files}
    rows = BundleFile.objects.filter(sha256__in=set(paths.values())).values_list("sha256", "content")
    contents = {sha: bytes(content) for sha, content in rows}
    return write_tar({MANIFEST: manifest, **{path: contents[sha] for path, sha in paths.items()}})


def _file(digest: str, sha: str) -> bytes | None:
    bundle = Bundle.objects.filter(digest=digest).first()
    if bundle is None:
        return None
    if sha not in {entry.sha256 for entry in read_manifest(bytes(bundle.manifest)).files}:
        return None
    row = BundleFile.objects.filter(sha256=sha).first()
    return bytes(row.content) if row else None
