"""What is on record? Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from foundation.audit.chain import GENESIS, Anchor, Break, Link, Proof, walk
from foundation.audit.models import AuditEntry, AuditHead

CHUNK = 2000


def entries(*, environment: str = "", object_kind: str = "", object_name: str = "") -> QuerySet[AuditEntry]:
    """Newest first; an empty argument does not filter."""
    asked = {"environment": environment, "object_kind": object_kind, "object_name": object_name}
    return AuditEntry.objects.filter(**{name: value for name, value in asked.items() if value})


def head() -> Anchor:
    """The end of the chain as its head row has it."""
    row = AuditHead.objects.filter(pk=1).first()
    return Anchor(row.seq, row.digest) if row else Anchor(0, GENESIS)


def verify(anchors: Iterable[Anchor] = ()) -> Proof:
    """Walk the whole chain. Entries appended meanwhile are left for the next time."""
    end = head()
    proof = walk(_links(end.seq), head=end, anchors=anchors)
    # The newest entry is read before the head: an honest append moves both in one transaction.
    newest = AuditEntry.objects.values_list("seq", flat=True).order_by("-seq").first() or 0
    if newest > head().seq:
        beyond = Break(newest, "lies beyond the head of the chain: it was not appended by this console")
        return Proof(proof.entries, proof.end, (*proof.breaks, beyond))
    return proof


def _links(until: int) -> Iterator[Link]:
    rows = AuditEntry.objects.filter(seq__lte=until).order_by("seq")
    for row in rows.iterator(chunk_size=CHUNK):
        yield Link(
            seq=row.seq,
            at=row.at,
            actor_name=row.actor_name,
            action=row.action,
            object_kind=row.object_kind,
            object_name=row.object_name,
            environment=row.environment,
            details=row.details,
            previous=row.previous,
            digest=row.digest,
        )
