"""Which keys call in a tenant's name, and when was each last used?"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max, Q, QuerySet

from ledger.models import UsageHour
from tenancy.models import ApiKey


def keys(environment: str, tenant: str) -> QuerySet[ApiKey]:
    """Of ``tenant`` and of all below it."""
    return ApiKey.objects.filter(_within(tenant), environment=environment)


def key(environment: str, tenant: str, key_id: str) -> ApiKey | None:
    """One key, if it is of ``tenant`` or of one below it."""
    return keys(environment, tenant).filter(pk=key_id).first()


def last_used(environment: str, tenant: str) -> dict[str, datetime]:
    """Key -> begin of the last hour it was used in, as the ledger keeps its totals."""
    rows = (
        UsageHour.objects.filter(_within(tenant), environment=environment)
        .exclude(key_id="")
        .order_by()
        .values_list("key_id")
        .annotate(hour=Max("hour"))
    )
    return {str(key_id): hour for key_id, hour in rows}


def _within(tenant: str) -> Q:
    return Q(tenant=tenant) | Q(tenant__startswith=f"{tenant}/")
