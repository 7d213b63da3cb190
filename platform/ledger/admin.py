"""Usage as it is stored: events, what lies aside and why, totals, and the ends of the chains."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from foundation.read_only import ReadOnlyAdmin
from ledger.models import QuarantinedEvent, TenantDay, UsageEvent, UsageHour


@admin.register(UsageEvent)
class UsageEvents(ReadOnlyAdmin):
    list_display: ClassVar = [
        "request_id",
        "attempt",
        "kind",
        "outcome",
        "tenant",
        "tier",
        "model",
        "uncached_input",
        "cached_input",
        "output",
        "cost_nano",
    ]
    list_filter: ClassVar = ["environment", "kind", "outcome", "counted_by"]
    search_fields: ClassVar = ["=request_id", "=tenant"]


@admin.register(QuarantinedEvent)
class QuarantinedEvents(ReadOnlyAdmin):
    list_display: ClassVar = ["request_id", "attempt", "kind", "reason", "tenant", "gateway", "received_at"]
    list_filter: ClassVar = ["environment", "reason"]
    search_fields: ClassVar = ["=request_id", "=tenant"]


@admin.register(UsageHour)
class UsageHours(ReadOnlyAdmin):
    list_display: ClassVar = [
        "hour",
        "statement",
        "tenant",
        "tier",
        "model",
        "events",
        "cost_nano",
        "currency",
    ]
    list_filter: ClassVar = ["environment", "statement"]
    search_fields: ClassVar = ["=tenant"]


@admin.register(TenantDay)
class TenantDays(ReadOnlyAdmin):
    list_display: ClassVar = ["environment", "tenant", "day", "events", "head"]
    list_filter: ClassVar = ["environment"]
    search_fields: ClassVar = ["=tenant"]
