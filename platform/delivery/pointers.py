"""What should a ring run now? The one function that writes a pointer, and its six callers' reasons.

Called by publish, rollback, override, heartbeat, horizon refresh and directory change, and by nothing
else: a contract test walks the code to see to it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from django.db import transaction

from coordination.bundle.pointer import Pointer as Statement
from coordination.bundle.pointer import sign_pointer
from coordination.program.canonical import sha256_digest
from delivery import trust
from delivery.models import DirectoryVersion, Pointer
from delivery.notice import post
from delivery.overrides.standing import in_force
from fleet.models import Ring
from foundation.http import Refused
from foundation.locking import locked

Reason = Literal["publish", "rollback", "override", "heartbeat", "refresh", "directory"]
MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Movement:
    """What a release or a directory change wants of a pointer; ``None`` leaves a part as it is."""

    version: int | None = None
    bundle: str | None = None
    directory: DirectoryVersion | None = None
    rollback_of: int | None = None


def advance(*, ring: Ring, reason: Reason, movement: Movement | None = None) -> Pointer:
    """Sign and post ``ring``'s next pointer, in the caller's transaction.

    A heartbeat keeps the serial and only renews the time; every other reason takes the next serial.
    ``issued_at`` grows with each, whatever the clock does. Raises ``Refused`` (``nothing_released``)
    when there is no pointer yet and ``movement`` does not make a whole one; ``trust.NoTrust``.
    """
    wanted = movement or Movement()
    row = locked(Pointer.objects.filter(ring=ring).select_related("directory")).first()
    if row is None:
        if wanted.version is None or wanted.bundle is None or wanted.directory is None:
            raise Refused(
                "nothing_released", f"Nothing was released to {ring} yet.", status=409, retryable=True
            )
        row = Pointer(ring=ring, serial=0, issued_at=0)
    if reason != "heartbeat":
        row.serial += 1
    if wanted.version is not None and wanted.bundle is not None:
        row.version, row.bundle, row.rollback_of = wanted.version, wanted.bundle, wanted.rollback_of
    if wanted.directory is not None:
        row.directory = wanted.directory
    row.issued_at = max(time.time_ns() // 1000, row.issued_at + 1)
    row.expires_at = row.issued_at + ring.environment.pointer_lifetime * MICROS
    row.envelope = sign_pointer(_statement(row, ring), [trust.online_key()])
    row.etag = sha256_digest(row.envelope)
    row.save()
    transaction.on_commit(post)
    return row


def _statement(row: Pointer, ring: Ring) -> Statement:
    return Statement(
        environment=ring.environment_id,
        ring=ring.name,
        serial=row.serial,
        version=row.version,
        bundle=row.bundle,
        directory=row.directory_id,
        overrides=in_force(ring.environment_id, row.issued_at),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        rollback_of=row.rollback_of,
    )
