"""What does a gateway know of its deliveries, what can happen to it, and what may it be told to do?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coordination.bundle.candidates import Candidate, Verify
from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused
from coordination.bundle.root import Root
from coordination.program.records import Micros, ProgramRecords, Vector

State = Literal["fetching", "verifying", "testing", "activating", "active", "rejected", "stale"]

SKEW_REPORTED: Micros = 5_000_000
"""A wall clock further behind the control plane's than this is worth telling an operator."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What serves, and the newest pointer that asked for it."""

    pointer: Pointer
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Attempt:
    """A pointer on its way to being followed. What it shares with what serves is not fetched again."""

    number: int
    """Answers to an attempt that was given up carry its number, and are ignored."""
    pointer: Pointer
    envelope: bytes
    tar: bytes | None = None
    tar_envelope: bytes | None = None
    directory: bytes | None = None
    candidate: Candidate | None = None
    on_disk: bool = False
    """Read from the state folder: it is persisted already."""
    unpersisted: Refused | None = None
    """Goes live although the disk would not take it."""

    @property
    def pair(self) -> tuple[str, str]:
        return (self.pointer.bundle, self.pointer.directory)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A gateway's whole state of delivery. ``acceptance.step`` is the only way on from here."""

    environment: str
    ring: str
    root: Root
    root_envelope: bytes
    features: frozenset[str] = frozenset()
    frozen: bool = False
    """Another bundle than the one that serves is not followed, unless it is a rollback."""
    state: State = "fetching"
    desired: Pointer | None = None
    """The newest verified pointer: only a greater one is followed after it."""
    envelope: bytes = b""
    """Its envelope."""
    waiting: tuple[Pointer, bytes] | None = None
    """The newest pointer, held back while another is being activated."""
    attempt: Attempt | None = None
    attempts: int = 0
    attempted: Pointer | None = None
    applied: Applied | None = None
    error: Refused | None = None
    barred: tuple[tuple[str, str], Refused] | None = None
    """The last pair whose content was refused: asking for it again changes nothing."""
    failures: int = 0
    """Refusals since something was last activated."""
    retry_at: Micros = 0
    """Monotonic instant from which a rejected state is looked at again."""
    persisted: Mapping[str, str] | None = None
    """Digest by file name of what the state folder holds, as far as it matters for rewriting it."""
    clock: Micros = 0
    """Highest monotonic reading seen."""
    fresh_until: Micros = 0
    """Monotonic instant at which the last verified contact has aged out."""
    skew: Micros = 0
    """How far the wall clock was behind the last pointer's ``issued_at``; 0 within tolerance."""

    @property
    def is_stale(self) -> bool:
        return self.clock >= self.fresh_until

    def status(self) -> dict[str, Any]:
        """What is reported to the control plane: attempted and applied are both told."""
        return {
            "serial": self.desired.serial if self.desired else None,
            "desired": _release(self.desired),
            "attempted": _release(self.attempted),
            "applied": _release(self.applied.pointer if self.applied else None),
            "state": self.state,
            "stale": self.is_stale,
            "skew_us": self.skew,
            "error": _error(self.error),
        }


# What can happen.


@dataclass(frozen=True, slots=True)
class Started:
    """The process began and read the state folder (empty on the first start)."""

    files: Mapping[str, bytes]
    wall: Micros
    mono: Micros


@dataclass(frozen=True, slots=True)
class RootReceived:
    envelope: bytes


@dataclass(frozen=True, slots=True)
class PointerReceived:
    envelope: bytes
    wall: Micros
    mono: Micros


@dataclass(frozen=True, slots=True)
class BundleReceived:
    number: int
    tar: bytes
    envelope: bytes


@dataclass(frozen=True, slots=True)
class DirectoryReceived:
    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FetchFailed:
    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Verified:
    number: int
    result: Candidate | Refused


@dataclass(frozen=True, slots=True)
class SelfTested:
    number: int
    failures: list[str]


@dataclass(frozen=True, slots=True)
class Persisted:
    number: int
    digests: Mapping[str, str]
    """Those of the effect this answers."""


@dataclass(frozen=True, slots=True)
class PersistFailed:
    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Activated:
    number: int


@dataclass(frozen=True, slots=True)
class Ticked:
    mono: Micros


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze of releases is in force here, or is over."""

    frozen: bool


Event = (
    Started
    | Frozen
    | RootReceived
    | PointerReceived
    | BundleReceived
    | DirectoryReceived
    | FetchFailed
    | Verified
    | SelfTested
    | Persisted
    | PersistFailed
    | Activated
    | Ticked
)


# What may have to be done. The shell does them in order and answers each with its event.


@dataclass(frozen=True, slots=True)
class FetchBundle:
    """Answer: ``BundleReceived`` or ``FetchFailed``."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class FetchDirectory:
    """Answer: ``DirectoryReceived`` or ``FetchFailed``."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Load the program beside the one that serves and run the vectors. Answer: ``SelfTested``.

    Whatever can go wrong with a program must go wrong here: activation may not fail.
    """

    number: int
    records: ProgramRecords
    vectors: list[Vector]


@dataclass(frozen=True, slots=True)
class Persist:
    """Write a new state folder and rename it over the old. Answer: ``Persisted`` or ``PersistFailed``."""

    number: int
    files: Mapping[str, bytes]
    """What changes; every other file stays as it is on disk."""
    digests: Mapping[str, str]
    """What the folder holds then."""


@dataclass(frozen=True, slots=True)
class Activate:
    """Swap one reference. Answer: ``Activated``."""

    number: int
    candidate: Candidate


Effect = FetchBundle | FetchDirectory | Verify | SelfTest | Persist | Activate


def _release(pointer: Pointer | None) -> dict[str, Any] | None:
    if pointer is None:
        return None
    return {
        "serial": pointer.serial,
        "version": pointer.version,
        "bundle": pointer.bundle,
        "directory": pointer.directory,
    }


def _error(refused: Refused | None) -> dict[str, str] | None:
    if refused is None:
        return None
    return {
        "code": refused.code,
        "message": refused.message,
        "file": refused.file,
        "json_pointer": refused.json_pointer,
    }
