"""How are the totals made anew, from the events alone?"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from ledger import store
from ledger.models import UsageEvent
from ledger.periods import day_of, hour_of, instant, micros

HOUR_US = 3_600_000_000


@transaction.atomic
def rebuild(*, environment: str, since: datetime, until: datetime) -> int:
    """The totals of every hour that touches [since, until), from the events; returns how many events.

    Takes the locks appends take, so that an event that comes meanwhile is in the totals once.
    """
    begin = micros(hour_of(micros(since)))
    end = -(-micros(until) // HOUR_US) * HOUR_US
    rows = UsageEvent.objects.filter(environment=environment, occurred_us__gte=begin, occurred_us__lt=end)
    tenants = rows.order_by().values_list("tenant", flat=True).distinct()
    days = sorted({day_of(at) for at in range(begin, end, HOUR_US)})
    store.lock_days((environment, tenant, day) for tenant in tenants for day in days)
    found = list(rows)
    store.replace_hours(environment, [instant(at) for at in range(begin, end, HOUR_US)], found)
    return len(found)
