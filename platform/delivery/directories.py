"""What do gateways need to know of tenants' keys and shares? Made anew whenever one changes.

A directory only goes forward: each has the next serial, and a rollback takes the newest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from coordination.bundle.directory import Credit, Directory, KeyEntry, read_directory
from delivery.models import DirectoryVersion
from delivery.pointers import Movement, advance
from fleet.models import Environment
from fleet.selectors import rings
from foundation.locking import locked
from tenancy.models import ApiKey, LimitCredit, TeamLimit, TeamShare


def current(environment: Environment) -> DirectoryVersion:
    """The newest directory on record; made if there is none, or if it is behind the keys."""
    newest = DirectoryVersion.objects.filter(environment=environment).first()
    known = read_directory(bytes(newest.content)) if newest else None
    made = _make(environment, serial=newest.serial if newest else 1)
    if newest is not None and made == known:
        return newest
    if newest is not None:
        made = _make(environment, serial=newest.serial + 1)
    return DirectoryVersion.objects.create(
        digest=made.digest, environment=environment, serial=made.serial, content=made.to_json()
    )


@transaction.atomic
def refresh(*, environment: str) -> bool:
    """Post the directory to every ring that runs something, if it changed. Whether it did."""
    place = locked(Environment.objects.filter(name=environment)).first()
    if place is None:
        return False
    newest = current(place)
    moved = False
    for ring in rings(environment).select_related("environment", "pointer__directory"):
        pointer = getattr(ring, "pointer", None)
        if pointer is None or pointer.directory_id == newest.digest:
            continue
        advance(ring=ring, reason="directory", movement=Movement(directory=newest))
        moved = True
    return moved


def _make(environment: Environment, *, serial: int) -> Directory:
    keys = ApiKey.objects.filter(environment=environment.name)
    shares = TeamShare.objects.filter(environment=environment.name)
    given = LimitCredit.objects.filter(environment=environment.name, ends_at__gt=timezone.now())
    return Directory(
        environment=environment.name,
        serial=serial,
        route_salt=environment.route_salt,
        keys={
            key.key_id: KeyEntry(
                sha256=key.sha256,
                tenant=key.tenant,
                scopes=tuple(key.scopes),
                expires_at=_micros(key.expires_at),
                revoked_at=_micros(key.revoked_at),
            )
            for key in keys.iterator()
        },
        shares={share.tenant: share.weight_ppm for share in shares.iterator()},
        limits=_limits(environment.name),
        credits=tuple(map(_credit, given.order_by("made_at", "id"))),
    )


def _limits(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in TeamLimit.objects.filter(environment=environment).iterator():
        found.setdefault(row.tenant, {}).setdefault(row.of, {})[row.per] = row.amount
    return found


def _credit(row: LimitCredit) -> Credit:
    of: Any = row.of
    per: Any = row.per
    made_at = _micros(row.made_at) or 0
    return Credit(id=row.id, quota=row.quota, of=of, per=per, amount=row.amount, made_at=made_at)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp()) * 1_000_000 + at.microsecond
