"""How does a deed enter the record? Inside the transaction of the deed itself, or neither happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import connection
from django.utils import timezone

from foundation.actors import Actor, name_of, person_behind
from foundation.audit.chain import GENESIS, Link
from foundation.audit.models import AuditEntry, AuditHead
from foundation.locking import locked


def record(
    *,
    actor: Actor,
    action: str,
    object_kind: str = "",
    object_name: str = "",
    environment: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry. Call it last in the transaction: every other append waits for its lock.

    ``details`` is JSON without floats (``NotCanonicalError`` otherwise), and holds no secret.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an audit entry belongs to the transaction of what it records")
    head, _ = locked(AuditHead.objects.all()).get_or_create(pk=1, defaults={"digest": GENESIS})
    draft = Link(
        seq=head.seq + 1,
        at=timezone.now(),
        actor_name=name_of(actor),
        action=action,
        object_kind=object_kind,
        object_name=object_name,
        environment=environment,
        details=details or {},
        previous=head.digest,
    )
    link = replace(draft, digest=draft.computed())
    entry = AuditEntry.objects.create(
        seq=link.seq,
        at=link.at,
        actor_id=person_behind(actor),
        actor_name=link.actor_name,
        action=action,
        object_kind=object_kind,
        object_name=object_name,
        environment=environment,
        details=dict(link.details),
        previous=link.previous,
        digest=link.digest,
    )
    head.seq, head.digest = link.seq, link.digest
    head.save(update_fields=["seq", "digest"])
    return entry
