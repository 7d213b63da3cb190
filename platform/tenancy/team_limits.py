"""How are limits of a team set, beside what the policy says? In force at once, by the directory."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from coordination.program.teams import Amounts, Thing
from foundation import audit, outbox
from foundation.actors import Actor, name_of
from tenancy.models import TeamLimit


def limits_of(environment: str, tenant: str) -> dict[Thing, int]:
    """What was set for one team."""
    rows = TeamLimit.objects.filter(environment=environment, tenant=tenant)
    found: dict[Any, int] = {(of, per): amount for of, per, amount in rows.values_list("of", "per", "amount")}
    return found


@transaction.atomic
def set_limits(*, actor: Actor, environment: str, tenant: str, amounts: Amounts) -> None:
    """Let these be all that is set for a team; of what is left out, the policy's own limit holds again.

    Amounts in requests, tokens or nano-units of money. The delegation's bounds are the caller's to check;
    gateways hold to them once more.
    """
    before = limits_of(environment, tenant)
    if before == dict(amounts):
        return
    rows = TeamLimit.objects.filter(environment=environment, tenant=tenant)
    for of, per in before.keys() - amounts.keys():
        rows.filter(of=of, per=per).delete()
    now = timezone.now()
    for (of, per), amount in amounts.items():
        if before.get((of, per)) == amount:
            continue
        TeamLimit.objects.update_or_create(
            environment=environment,
            tenant=tenant,
            of=of,
            per=per,
            defaults={"amount": amount, "changed_at": now, "changed_by_name": name_of(actor)},
        )
    outbox.emit("tenancy.directory_changed", {"environment": environment}, key=environment)
    audit.record(
        actor=actor,
        action="team_limits.set",
        object_kind="Tenant",
        object_name=tenant,
        environment=environment,
        details={
            f"{of} per {per}": {"from": before.get((of, per)), "to": amounts.get((of, per))}
            for of, per in sorted(before.keys() | amounts.keys())
            if before.get((of, per)) != amounts.get((of, per))
        },
    )
