"""Every row of the foundation, gathered where Django looks for models."""

from __future__ import annotations

from foundation.audit.models import AuditEntry, AuditHead
from foundation.http.models import IdempotentRequest
from foundation.outbox.models import OutboxEvent

__all__ = ["AuditEntry", "AuditHead", "IdempotentRequest", "OutboxEvent"]
