"""What does a gateway keep on disk, and may it serve from what it finds there?

A folder as a mapping from file names to bytes; the shell reads it, and writes a new one beside it to
rename over. What is found is verified as if it came from a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordination.bundle import directory as directories
from coordination.bundle import dsse, pointer, root
from coordination.bundle.directory import Directory, open_directory
from coordination.bundle.keys import SigningKey
from coordination.bundle.pack import PackedBundle
from coordination.bundle.pointer import Pointer, open_pointer, require_after, sign_pointer
from coordination.bundle.refusals import Refused, RefusedError, refuse
from coordination.bundle.root import Root, make_root, open_root, sign_root
from coordination.bundle.verification import (
    ENVELOPE_FILE,
    TAR_FILE,
    Accepted,
    Expectations,
    SelfTest,
    self_test_refusal,
    verify_bundle,
)
from coordination.program.records import Micros

FILES = (root.FILE, pointer.FILE, TAR_FILE, ENVELOPE_FILE, directories.FILE)
"""Each is needed; others in the folder mean nothing."""


@dataclass(frozen=True, slots=True)
class LoadedState:
    """A folder in which every byte is verified and the self-tests pass."""

    root: Root
    pointer: Pointer
    bundle: Accepted
    directory: Directory
    stale: bool
    """The pointer has expired: visible, and for the environment's policy to judge. Not a refusal."""


def make_state(
    *,
    bundle: PackedBundle,
    bundle_envelope: bytes,
    directory: Directory,
    root_envelope: bytes,
    pointer_envelope: bytes,
) -> dict[str, bytes]:
    """The folder of these parts. Says nothing of whether they hold together: ``load_state`` does."""
    return {
        root.FILE: root_envelope,
        pointer.FILE: pointer_envelope,
        TAR_FILE: bundle.tar,
        ENVELOPE_FILE: bundle_envelope,
        directories.FILE: directory.to_json(),
    }


def make_embedded_state(
    *,
    bundle: PackedBundle,
    directory: Directory,
    key: SigningKey,
    ring: str,
    serial: int,
    version: int,
    issued_at: Micros,
    lifetime: Micros,
) -> dict[str, bytes]:
    """The folder for one machine, where one key holds every role: for loopback use only.

    ``issued_at`` must grow with every folder written for the ring.
    """
    made = Pointer(
        environment=directory.environment,
        ring=ring,
        serial=serial,
        version=version,
        bundle=bundle.digest,
        directory=directory.digest,
        overrides=(),
        issued_at=issued_at,
        expires_at=issued_at + lifetime,
    )
    only = [key.public]
    return make_state(
        bundle=bundle,
        bundle_envelope=dsse.sign(bundle.manifest, dsse.BUNDLE, [key]),
        directory=directory,
        root_envelope=sign_root(make_root(version=1, root=only, bundle=only, pointer=only), [key]),
        pointer_envelope=sign_pointer(made, [key]),
    )


def load_state(
    files: Mapping[str, bytes],
    self_test: SelfTest,
    *,
    now: Micros,
    environment: str | None = None,
    ring: str | None = None,
    pinned_root: str | None = None,
    features: frozenset[str] = frozenset(),
    after: LoadedState | None = None,
) -> LoadedState | Refused:
    """Verify a folder at wall clock ``now`` and run its self-tests. Never raises for its content.

    ``environment`` and ``ring``: the ones this gateway was enrolled for; ``None`` takes the pointer's.
    ``pinned_root``: digest of the ``root.json`` it was enrolled with; ``None`` trusts the folder's.
    ``after``: the state that serves; an older pointer or directory in its place is a replay.
    """
    try:
        state = verify_state(
            files,
            now=now,
            environment=environment,
            ring=ring,
            pinned_root=pinned_root,
            features=features,
            after=after,
        )
    except RefusedError as error:
        return error.refused
    return self_test_refusal(self_test(state.bundle.records, state.bundle.vectors)) or state


def verify_state(
    files: Mapping[str, bytes],
    *,
    now: Micros,
    environment: str | None = None,
    ring: str | None = None,
    pinned_root: str | None = None,
    features: frozenset[str] = frozenset(),
    after: LoadedState | None = None,
) -> LoadedState:
    """``load_state`` without the self-tests. Raises ``RefusedError``."""
    for name in FILES:
        if name not in files:
            raise refuse("missing_file", "not in the folder", file=name)
    trust = open_root(files[root.FILE], pinned=pinned_root)
    found = open_pointer(files[pointer.FILE], trust.trusted("pointer"), threshold=trust.threshold("pointer"))
    require_addressed(found, environment=environment, ring=ring, features=features)
    require_after(found, after.pointer if after else None)
    keys = open_directory(
        files[directories.FILE],
        digest=found.directory,
        environment=found.environment,
        after=(after.directory.serial, after.pointer.directory) if after else None,
    )
    accepted = verify_bundle(
        files[TAR_FILE],
        files[ENVELOPE_FILE],
        trust.trusted("bundle"),
        Expectations(
            environment=found.environment,
            digest=found.bundle,
            threshold=trust.threshold("bundle"),
            features=features,
        ),
    )
    return LoadedState(trust, found, accepted, keys, stale=now >= found.expires_at)


def require_addressed(
    found: Pointer, *, environment: str | None, ring: str | None, features: frozenset[str]
) -> None:
    """Is this pointer for us, and can we do all it says? Raises ``RefusedError``."""
    if environment not in (None, found.environment):
        raise refuse(
            "wrong_environment",
            f"for {found.environment}, not for {environment}",
            file=pointer.FILE,
            json_pointer="/environment",
        )
    if ring not in (None, found.ring):
        raise refuse(
            "wrong_ring", f"for {found.ring}, not for {ring}", file=pointer.FILE, json_pointer="/ring"
        )
    for index, override in enumerate(found.overrides):
        if f"override-{override.kind.replace('_', '-')}" not in features:
            raise refuse(
                "unknown_feature",
                f"this gateway cannot enforce the override {override.kind}",
                file=pointer.FILE,
                json_pointer=f"/overrides/{index}/kind",
            )
