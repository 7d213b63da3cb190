"""The audit trail's rows. Append-only: triggers refuse the rest, and the chain shows what they miss."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One deed. ``digest`` covers every other field but ``actor``, which a deleted account empties."""

    seq = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    object_kind = models.CharField(max_length=63, blank=True)
    object_name = models.CharField(max_length=600, blank=True)
    environment = models.CharField(max_length=63, blank=True)
    details = models.JSONField(default=dict, blank=True)
    previous = models.CharField(max_length=71)
    digest = models.CharField(max_length=71)

    class Meta:
        ordering: ClassVar = ["-seq"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["object_kind", "object_name", "seq"], name="audit_by_object"),
            models.Index(fields=["environment", "seq"], name="audit_by_environment"),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.actor_name} {self.action} {self.object_kind} {self.object_name}".rstrip()


class AuditHead(models.Model):
    """The end of the chain: one row, locked by whoever appends, last of all its locks."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=71)

    def __str__(self) -> str:
        return f"{self.seq}: {self.digest}"
