"""The foundation's records as they are stored."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from foundation.models import AuditEntry, IdempotentRequest, OutboxEvent
from foundation.read_only import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntries(ReadOnlyAdmin):
    list_display: ClassVar = [
        "seq",
        "at",
        "actor_name",
        "action",
        "object_kind",
        "object_name",
        "environment",
    ]
    list_filter: ClassVar = ["action", "environment"]
    search_fields: ClassVar = ["actor_name", "object_name"]


@admin.register(OutboxEvent)
class OutboxEvents(ReadOnlyAdmin):
    list_display: ClassVar = ["id", "topic", "key", "created", "done_at", "attempts", "error"]
    list_filter: ClassVar = ["topic"]


@admin.register(IdempotentRequest)
class IdempotentRequests(ReadOnlyAdmin):
    list_display: ClassVar = ["principal", "key", "started", "status"]
    fields: ClassVar = ["principal", "key", "fingerprint", "started", "status"]  # the answer is the caller's
