"""How is a tenant given more of a limit, or all of it again, without a change of policy?

By one operator, for the period at hand, and never more than the limit itself once more: what is to last is
a change of policy. Gateways learn of it by the directory, as of keys.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from datetime import timedelta

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from fleet.models import Environment
from foundation import audit, outbox
from foundation.actors import Actor, name_of
from foundation.http import Refused
from foundation.locking import locked
from tenancy.models import LimitCredit

LONGEST = {
    "1m": timedelta(minutes=1),
    "1h": timedelta(hours=1),
    "day": timedelta(hours=25),
    "month": timedelta(days=32),
}
"""How long a period may last that has begun: until then gateways are told."""


@transaction.atomic
def credit_limit(
    *,
    actor: Actor,
    environment: str,
    tenant: str,
    quota: str,
    of: str,
    per: str,
    amount: int | None,
    most: int,
    reason: str,
) -> LimitCredit:
    """Give ``amount`` more of a limit, or all of it again (None). ``most``: the limit as written.

    ``Refused`` (``credit_too_large``) when what is given in a period would come to more than the limit.
    """
    locked(Environment.objects.filter(name=environment)).first()  # one at a time: the sum must hold
    now = timezone.now()
    if amount is not None:
        given = LimitCredit.objects.filter(
            environment=environment, quota=quota, of=of, per=per, made_at__gt=now - LONGEST[per]
        ).aggregate(total=Sum("amount"))["total"]
        if amount + (given or 0) > most:
            left = max(0, most - (given or 0))
            raise Refused(
                "credit_too_large",
                f"At most {most} may be credited in a period, the limit itself once more; {left} are left. "
                "What is to last is a change of the policy.",
                status=409,
            )
    row = LimitCredit.objects.create(
        id=f"cr_{b32encode(secrets.token_bytes(20)).decode().lower()[:26]}",
        environment=environment,
        tenant=tenant,
        quota=quota,
        of=of,
        per=per,
        amount=amount,
        reason=reason,
        made_at=now,
        ends_at=now + LONGEST[per],
        made_by_name=name_of(actor),
    )
    outbox.emit("tenancy.directory_changed", {"environment": environment}, key=environment)
    audit.record(
        actor=actor,
        action="limit.reset" if amount is None else "limit.credited",
        object_kind="Quota",
        object_name=quota,
        environment=environment,
        details={
            "credit": row.id,
            "tenant": tenant,
            "of": of,
            "per": per,
            "amount": amount,
            "reason": reason,
        },
    )
    return row
