"""Explanations of requests, kept for a while, and the count of those that were too many to explain."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class KeptDecision(models.Model):
    """One request's explanation, as its gateway wrote it; what a list shows stands beside it."""

    environment = models.CharField(max_length=63)
    gateway = models.CharField(max_length=29)
    request_id = models.CharField(max_length=30)
    reason = models.CharField(max_length=16, help_text="refused, failed, slow or sampled.")
    at_us = models.BigIntegerField(help_text="When it ended, by our clock; microseconds since 1970.")
    tenant = models.CharField(max_length=512)
    tier = models.CharField(max_length=300)
    model = models.CharField(max_length=300)
    code = models.CharField(max_length=64, blank=True, help_text="Of a refusal or a failure.")
    # Text, not JSON: it may hold integers beyond 64 bits, and is handed out as it came.
    document = models.TextField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "request_id"], name="decision_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["request_id"], name="decision_by_request"),
            models.Index(fields=["environment", "tenant", "at_us"], name="decision_by_tenant"),
            models.Index(fields=["at_us"], name="decision_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.request_id} of {self.tenant}"


class UnexplainedRefusals(models.Model):
    """Refusals of one code that one batch counted without explaining each."""

    environment = models.CharField(max_length=63)
    gateway = models.CharField(max_length=29)
    boot_id = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    code = models.CharField(max_length=64)
    count = models.BigIntegerField()
    at_us = models.BigIntegerField(help_text="When the batch was sent, by our clock.")

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "unexplained refusals"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["gateway", "boot_id", "seq", "code"], name="unexplained_refusals_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["environment", "at_us"], name="unexplained_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.code} on {self.gateway}"
