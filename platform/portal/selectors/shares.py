"""What was set for the teams below a tenant, and what was asked of the operator?"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from coordination.program.teams import Amounts
from policies.models import ChangeSet
from policies.services import asked_by
from tenancy.models import TeamLimit, TeamShare

SHOWN = 20
"""Of what was asked for, the newest."""


def moved(environment: str, parent: str) -> dict[str, int]:
    """Team -> weight, of those below ``parent`` whose weight was moved."""
    rows = TeamShare.objects.filter(environment=environment, tenant__startswith=f"{parent}/")
    return dict(rows.values_list("tenant", "weight_ppm"))


def limited(environment: str, parent: str) -> dict[str, Amounts]:
    """Team -> limits that were set, of those below ``parent``."""
    rows = TeamLimit.objects.filter(environment=environment, tenant__startswith=f"{parent}/")
    found: dict[str, dict[Any, int]] = {}
    for tenant, of, per, amount in rows.values_list("tenant", "of", "per", "amount"):
        found.setdefault(tenant, {})[of, per] = amount
    return dict(found)


def asked(environment: str, tenant: str) -> QuerySet[ChangeSet]:
    """What this tenant's administrators asked for, newest first."""
    return ChangeSet.objects.filter(environment=environment, ticket=asked_by(tenant)).order_by("-id")[:SHOWN]
