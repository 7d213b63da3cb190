"""How do keys, tokens and team shares change? One function for each change.

What gateways must know is told by the event ``tenancy.directory_changed``: the directory is made anew
and posted at once, with no bundle build.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction
from django.utils import timezone

from coordination.bundle.apikeys import MINT_BYTES, mint
from coordination.program.canonical import sha256_digest
from foundation import audit, outbox
from foundation.actors import Actor, name_of
from foundation.http import Refused
from foundation.locking import locked
from tenancy.models import ApiKey, ServiceToken, TeamShare, User

KEY_SCOPES = ("inference",)
LONGEST_OVERLAP = timedelta(days=7)
LONGEST_TOKEN = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment its secret is known."""

    row: ApiKey
    secret: str


@dataclass(frozen=True, slots=True)
class NewToken:
    row: ServiceToken
    secret: str


@transaction.atomic
def create_key(
    *,
    actor: Actor,
    environment: str,
    tenant: str,
    name: str,
    scopes: Iterable[str] = KEY_SCOPES,
    expires_at: datetime | None = None,
) -> NewKey:
    """Whether ``actor`` may is for the caller's permission check; that ``tenant`` exists likewise."""
    now = timezone.now()
    if expires_at is not None and expires_at <= now:
        raise Refused("invalid_expiry", "A key must expire in the future.", status=400)
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(KEY_SCOPES):
        raise Refused("invalid_scope", f"Give at least one of: {', '.join(KEY_SCOPES)}.", status=400)
    made = _mint(
        actor=actor, environment=environment, tenant=tenant, name=name, scopes=wanted, expires_at=expires_at
    )
    _directory_changed(environment)
    _record(actor, "api_key.created", made.row)
    return made


@transaction.atomic
def revoke_key(*, actor: Actor, key: ApiKey) -> None:
    """At once, and for good: no rollback revives it. Revoking twice is revoking once."""
    row = locked(ApiKey.objects.filter(pk=key.pk)).get()
    if row.revoked_at is not None:
        return
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])
    _directory_changed(row.environment)
    _record(actor, "api_key.revoked", row)


@transaction.atomic
def rotate_key(*, actor: Actor, key: ApiKey, overlap: timedelta) -> NewKey:
    """A new key for the same use; the old one works for ``overlap`` longer."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Refused("invalid_overlap", "Both keys may work side by side for at most 7 days.", status=400)
    row = locked(ApiKey.objects.filter(pk=key.pk)).get()
    now = timezone.now()
    if row.revoked_at is not None or row.replaced_by_id or (row.expires_at and row.expires_at <= now):
        raise Refused("key_not_active", "Only a key that works can be rotated.", status=409)
    made = _mint(
        actor=actor,
        environment=row.environment,
        tenant=row.tenant,
        name=row.name,
        scopes=row.scopes,
        expires_at=row.expires_at,
    )
    row.replaced_by = made.row
    row.expires_at = min(filter(None, (row.expires_at, now + overlap)))
    row.save(update_fields=["replaced_by", "expires_at"])
    _directory_changed(row.environment)
    _record(actor, "api_key.rotated", row, replaced_by=made.row.key_id)
    return made


@transaction.atomic
def move_share(*, actor: Actor, environment: str, tenant: str, weight_ppm: int) -> TeamShare:
    """Set a team's weight. The delegation's bounds are the caller's to check; gateways clamp to them."""
    if weight_ppm < 0:
        raise Refused("invalid_weight", "A weight is not negative.", status=400)
    row, _ = TeamShare.objects.update_or_create(
        environment=environment,
        tenant=tenant,
        defaults={
            "weight_ppm": weight_ppm,
            "changed_at": timezone.now(),
            "changed_by_name": name_of(actor),
        },
    )
    _directory_changed(environment)
    audit.record(
        actor=actor,
        action="team_share.moved",
        object_kind="Tenant",
        object_name=tenant,
        environment=environment,
        details={"weight_ppm": weight_ppm},
    )
    return row


@transaction.atomic
def create_service_token(
    *, actor: Actor, owner: User, name: str, scopes: Iterable[str], life: timedelta
) -> NewToken:
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(ServiceToken.Scope.values):
        known = ", ".join(ServiceToken.Scope.values)
        raise Refused("invalid_scope", f"Give at least one of: {known}.", status=400)
    if not timedelta(0) < life <= LONGEST_TOKEN:
        raise Refused("invalid_expiry", "A token lives for at most a year.", status=400)
    secret = f"hws_{b32encode(secrets.token_bytes(32)).decode().rstrip('=').lower()}"
    now = timezone.now()
    row = ServiceToken.objects.create(
        sha256=sha256(secret.encode()).hexdigest(),
        name=name,
        owner=owner,
        scopes=wanted,
        created_at=now,
        expires_at=now + life,
    )
    audit.record(
        actor=actor,
        action="service_token.created",
        object_kind="ServiceToken",
        object_name=name,
        details={"owner": owner.get_username(), "scopes": wanted},
    )
    return NewToken(row, secret)


@transaction.atomic
def revoke_service_token(*, actor: Actor, token: ServiceToken) -> None:
    if token.revoked_at is not None:
        return
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    audit.record(
        actor=actor, action="service_token.revoked", object_kind="ServiceToken", object_name=token.name
    )


def authenticate_service_token(secret: str) -> ServiceToken | None:
    """The live token ``secret`` is of, or ``None``. Looked up by digest: a guess learns nothing by time."""
    row = (
        ServiceToken.objects.select_related("owner")
        .filter(sha256=sha256(secret.encode()).hexdigest(), revoked_at=None)
        .first()
    )
    if row is None or row.expires_at <= timezone.now() or not row.owner.is_active:
        return None
    return row


def _mint(
    *,
    actor: Actor,
    environment: str,
    tenant: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
) -> NewKey:
    minted = mint(secrets.token_bytes(MINT_BYTES))
    row = ApiKey.objects.create(
        key_id=minted.key_id,
        sha256=sha256_digest(minted.secret.encode()),
        environment=environment,
        tenant=tenant,
        name=name,
        scopes=list(scopes),
        created_at=timezone.now(),
        created_by_name=name_of(actor),
        expires_at=expires_at,
    )
    return NewKey(row, minted.secret)


def _directory_changed(environment: str) -> None:
    outbox.emit("tenancy.directory_changed", {"environment": environment}, key=environment)


def _record(actor: Actor, action: str, row: ApiKey, **details: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_kind="ApiKey",
        object_name=row.key_id,
        environment=row.environment,
        details={"tenant": row.tenant, "name": row.name, **details},
    )
