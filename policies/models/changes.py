"""What is proposed: change sets, what each would do to which document, and what was found out about it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from policies.models.written import (
    DIGEST_LENGTH,
    ENVIRONMENT_LENGTH,
    KIND_LENGTH,
    NAME_LENGTH,
    Document,
    Revision,
)


class ChangeSet(models.Model):
    """A proposal against a revision. ``head_digest`` names its operations: any edit is another digest."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        MERGED = "merged", "Merged"
        CLOSED = "closed", "Closed"

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    base = models.ForeignKey(Revision, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    head_digest = models.CharField(max_length=DIGEST_LENGTH)
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    reason = models.CharField(max_length=1000, blank=True)
    ticket = models.CharField(max_length=200, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was merged or closed.")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["environment", "state", "id"], name="change_set_by_state")]

    def __str__(self) -> str:
        return f"change set {self.pk} for {self.environment}"


class Operation(models.Model):
    """What a change set does to one document: writes ``new_document``, or deletes it when there is none."""

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="operations")
    kind = models.CharField(max_length=KIND_LENGTH)
    name = models.CharField(max_length=NAME_LENGTH)
    base_digest = models.CharField(
        max_length=DIGEST_LENGTH, blank=True, help_text="What the author started from; empty: nothing."
    )
    new_document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering: ClassVar = ["change_set", "kind", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["change_set", "kind", "name"], name="operation_once")
        ]

    def __str__(self) -> str:
        return f"{'write' if self.new_document_id else 'delete'} {self.kind} {self.name}"


class Check(models.Model):
    """What somebody found out about a change set's operations, as they were under ``head_digest``."""

    class State(models.TextChoices):
        PENDING = "pending", "Being found out"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        NEUTRAL = "neutral", "For information"

    change_set = models.ForeignKey(ChangeSet, on_delete=models.CASCADE, related_name="checks")
    head_digest = models.CharField(max_length=DIGEST_LENGTH)
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=7, choices=State.choices)
    url = models.CharField(max_length=500, blank=True, help_text="Where there is more.")
    summary = models.CharField(max_length=1000, blank=True)
    reporter_name = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["change_set", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["change_set", "head_digest", "name"], name="check_once")
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
