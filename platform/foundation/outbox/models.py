"""Events on their way to other apps."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class OutboxEvent(models.Model):
    """Something that became true, and whether everybody who wants to know has been told."""

    topic = models.CharField(max_length=100)
    key = models.CharField(max_length=600, blank=True, help_text="What it is about, for people to read.")
    payload = models.JSONField(default=dict, blank=True)
    created = models.DateTimeField()
    not_before = models.DateTimeField(help_text="When it may be tried; a claim moves it on, as a lease.")
    done_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["not_before", "id"], name="outbox_waiting", condition=models.Q(done_at=None)
            ),
            models.Index(fields=["done_at"], name="outbox_done"),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.topic} {self.key}".rstrip()
