"""How does one entry vouch for all before it? Pure: values in, digests and breaks out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coordination.program.canonical import NotCanonicalError, canonical_bytes, sha256_digest

GENESIS = sha256_digest(b"headway audit")
"""What the first entry follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the chain sees it. ``details`` is JSON without floats."""

    seq: int
    at: datetime
    actor_name: str
    action: str
    object_kind: str
    object_name: str
    environment: str
    details: Mapping[str, Any]
    previous: str
    digest: str = ""

    def computed(self) -> str:
        """The digest these contents have. Raises ``NotCanonicalError`` for a float in ``details``."""
        return sha256_digest(
            canonical_bytes(
                {
                    "seq": self.seq,
                    "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
                    "actor_name": self.actor_name,
                    "action": self.action,
                    "object_kind": self.object_kind,
                    "object_name": self.object_name,
                    "environment": self.environment,
                    "details": dict(self.details),
                    "previous": self.previous,
                }
            )
        )


@dataclass(frozen=True, slots=True)
class Anchor:
    """An entry's number and digest, as somebody wrote them down."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where the record and the chain disagree, and how."""

    seq: int
    problem: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What walking the chain showed."""

    entries: int
    end: Anchor
    breaks: tuple[Break, ...]

    @property
    def holds(self) -> bool:
        return not self.breaks


def walk(links: Iterable[Link], *, head: Anchor, anchors: Iterable[Anchor] = ()) -> Proof:
    """Follow ``links`` (ascending) to ``head``; ``anchors`` are digests that were noted elsewhere.

    A rewritten chain can be consistent in itself: only an anchor kept away from the database shows it.
    """
    noted = {anchor.seq: anchor.digest for anchor in anchors}
    breaks: list[Break] = []
    expected, previous, count = 1, GENESIS, 0
    for link in links:
        count += 1
        if link.seq != expected:
            gap = f"{expected}" if link.seq == expected + 1 else f"{expected} to {link.seq - 1}"
            breaks.append(Break(link.seq, f"entry {gap} before it is missing"))
        elif link.previous != previous:
            breaks.append(Break(link.seq, "does not follow the entry before it"))
        breaks.extend(Break(link.seq, problem) for problem in _problems(link, noted.pop(link.seq, None)))
        expected, previous = link.seq + 1, link.digest
    end = Anchor(expected - 1, previous)
    if end != head:
        breaks.append(Break(head.seq, f"the chain ends at {end.seq}, its head says {head.seq}"))
    breaks.extend(Break(seq, "was noted elsewhere, and is not there") for seq in noted)
    return Proof(count, end, tuple(breaks))


def _problems(link: Link, noted: str | None) -> list[str]:
    found = []
    try:
        computed = link.computed()
    except NotCanonicalError as error:
        found.append(f"its details were altered: {error}")
    else:
        if computed != link.digest:
            found.append("its contents were altered: the digest does not cover them")
    if noted is not None and noted != link.digest:
        found.append("differs from the digest noted elsewhere")
    return found
