"""What did we use, and what does it cost? To the last token, as the ledger has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from ledger.selectors import tenant_days
from portal.mapping.usage import FIELDS, VIEWS, days_between, table
from portal.views.desk import DeskRequest, for_members, show

SPAN = timedelta(days=30)
LONGEST = timedelta(days=400)


@require_safe
@for_members
def usage(request: DeskRequest) -> HttpResponse:
    desk = request.desk
    since, until = span_of(request)
    view = request.GET.get("by", "day")
    if view not in VIEWS or (view == "team" and not desk.contract.below):
        view = "day"
    by = (FIELDS[view],) if view in FIELDS else ("tenant",)
    rows = tenant_days(desk.environment, desk.tenant, since=since, until=until, by=by)
    exported = urlencode(
        {
            "environment": desk.environment,
            "tenant": desk.tenant,
            "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "until": f"{until:%Y-%m-%dT%H:%M:%SZ}",
            "by": "tenant,tier,model",
        }
    )
    context = {
        "table": table(rows, view, days_between(since, until)),
        "views": {key: label for key, label in VIEWS.items() if key != "team" or desk.contract.below},
        "view": view,
        "since": since.date(),
        "last": (until - timedelta(days=1)).date(),
        "export": f"{reverse('ledger:usage-csv')}?{exported}",
    }
    return show(request, "portal/usage.html", "usage", context)


def span_of(request: DeskRequest) -> tuple[datetime, datetime]:
    """Whole days in UTC: those asked for, or the last thirty. ``until`` is exclusive."""
    tomorrow = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
        days=1
    )
    last = _day(request.GET.get("until"))
    until = last + timedelta(days=1) if last else tomorrow
    since = _day(request.GET.get("since")) or until - SPAN
    if not since < until <= since + LONGEST:
        since = until - SPAN
    return since, until


def _day(given: str | None) -> datetime | None:
    try:
        day = parse_date(given or "")
    except ValueError:
        return None
    if day is None or not 1970 < day.year < 9000:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
