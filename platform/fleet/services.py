"""How do environments and gateways come to be, and go? One function for each change."""

from __future__ import annotations

import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fleet.models import NAME, EnrolmentToken, Environment, Gateway, Ring
from foundation import audit
from foundation.actors import Actor, Automaton, name_of
from foundation.http import Refused

TOKEN_LIFE = timedelta(minutes=15)
FIRST_RING = "0"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a gateway is told once. ``credential`` is not kept here."""

    gateway: Gateway
    credential: str


@transaction.atomic
def ensure_environment(*, actor: Actor, name: str) -> Environment:
    """The environment ``name`` with its first ring; made if it is not there."""
    found = Environment.objects.filter(name=name).first()
    if found is not None:
        return found
    made = Environment(name=name, route_salt=secrets.token_hex(32))
    made.full_clean()
    made.save(force_insert=True)
    Ring.objects.create(environment=made, name=FIRST_RING, position=0)
    audit.record(
        actor=actor,
        action="environment.created",
        object_kind="Environment",
        object_name=name,
        environment=name,
    )
    return made


@transaction.atomic
def issue_enrolment_token(
    *, actor: Actor, ring: Ring, max_uses: int = 1, life: timedelta = TOKEN_LIFE
) -> str:
    """A secret that lets ``max_uses`` gateways join ``ring`` within ``life``. Shown once."""
    secret = f"hwe_{_random()}"
    EnrolmentToken.objects.create(
        sha256=_digest(secret),
        ring=ring,
        max_uses=max_uses,
        expires_at=timezone.now() + life,
        created_by_name=name_of(actor),
    )
    audit.record(
        actor=actor,
        action="enrolment_token.issued",
        object_kind="Ring",
        object_name=ring.name,
        environment=ring.environment_id,
        details={"max_uses": max_uses, "seconds": int(life.total_seconds())},
    )
    return secret


@transaction.atomic
def enroll_gateway(*, token: str, name: str, public_key: str) -> Enrolled:
    """Spend one use of ``token``. Raises ``Refused``: ``enrolment_refused``, ``invalid_gateway``."""
    _require_gateway(name, public_key)
    row = EnrolmentToken.objects.filter(sha256=_digest(token)).select_related("ring").first()
    now = timezone.now()
    spent = EnrolmentToken.objects.filter(
        sha256=_digest(token), expires_at__gt=now, uses__lt=F("max_uses")
    ).update(uses=F("uses") + 1)
    if row is None or not spent:
        raise Refused(
            "enrolment_refused",
            "The token is unknown, used up or older than its 15 minutes: ask an operator for a new one.",
            status=403,
        )
    if Gateway.objects.filter(ring=row.ring, name=name, retired_at=None).exists():
        raise Refused(
            "gateway_name_taken",
            f"A gateway {name!r} is in {row.ring} already: retire it first, or choose another name.",
            status=409,
        )
    credential = f"hwg_{_random()}"
    made = Gateway.objects.create(
        id=f"gw_{_random()[:26]}",
        name=name,
        ring=row.ring,
        public_key=public_key,
        credential_sha256=_digest(credential),
    )
    audit.record(
        actor=Automaton(f"enrolment token of {row.created_by_name}"),
        action="gateway.enrolled",
        object_kind="Gateway",
        object_name=made.id,
        environment=row.ring.environment_id,
        details={"name": name, "ring": row.ring.name},
    )
    return Enrolled(made, credential)


@transaction.atomic
def retire_gateway(*, actor: Actor, gateway: Gateway) -> None:
    """Its credential stops working at once; it leaves the count of those that a release waits for."""
    if gateway.retired_at is not None:
        return
    gateway.retired_at = timezone.now()
    gateway.save(update_fields=["retired_at"])
    audit.record(
        actor=actor,
        action="gateway.retired",
        object_kind="Gateway",
        object_name=gateway.id,
        environment=gateway.ring.environment_id,
        details={"name": gateway.name},
    )


def _require_gateway(name: str, public_key: str) -> None:
    try:
        NAME(name)
        if len(bytes.fromhex(public_key)) != 32:
            raise ValueError(public_key)
    except (ValidationError, ValueError):
        raise Refused(
            "invalid_gateway",
            "Give a name of lower-case letters, digits, dots and hyphens, and the key as 64 hex digits.",
            status=400,
        ) from None


def _random() -> str:
    """256 bits, in lower-case base32."""
    return b32encode(secrets.token_bytes(32)).decode().rstrip("=").lower()


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
