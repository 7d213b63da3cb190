"""What is current: a searchable index over the documents of each environment's newest revision.

Written by ``policies.store`` for ``merge`` alone; ``manage.py rebuild_head --check`` proves that it says
what the revision says.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from policies.models.written import ENVIRONMENT_LENGTH, KIND_LENGTH, NAME_LENGTH, Document, Revision


class EnvironmentHead(models.Model):
    """Which revision an environment is at. Moved by compare-and-swap."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH, primary_key=True)
    revision = models.ForeignKey(Revision, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["environment"]

    def __str__(self) -> str:
        return self.environment


class Head(models.Model):
    """A current document, with the facts lists are searched and sorted by."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    kind = models.CharField(max_length=KIND_LENGTH)
    name = models.CharField(max_length=NAME_LENGTH)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    tenant = models.CharField(max_length=NAME_LENGTH, blank=True)
    tier = models.CharField(max_length=KIND_LENGTH, blank=True)
    pool = models.CharField(max_length=KIND_LENGTH, blank=True)
    rank = models.BigIntegerField(null=True, blank=True)
    starts = models.DateTimeField(null=True, blank=True)
    ends = models.DateTimeField(null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering: ClassVar = ["environment", "kind", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "kind", "name"], name="head_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["environment", "kind", "tenant", "name"], name="head_by_tenant"),
            models.Index(fields=["environment", "kind", "starts"], name="head_by_start"),
            models.Index(fields=["environment", "kind", "rank", "name"], name="head_by_rank"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} in {self.environment}"


class Reference(models.Model):
    """A place in a current document that names another object: "used by", and how far a change reaches."""

    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    kind = models.CharField(max_length=KIND_LENGTH)
    name = models.CharField(max_length=NAME_LENGTH)
    to_kind = models.CharField(max_length=KIND_LENGTH)
    to_name = models.CharField(max_length=NAME_LENGTH)
    pointer = models.CharField(max_length=1000, help_text="JSON pointer of the place.")

    class Meta:
        ordering: ClassVar = ["environment", "kind", "name", "pointer"]
        indexes: ClassVar = [
            models.Index(fields=["environment", "to_kind", "to_name"], name="reference_to"),
            models.Index(fields=["environment", "kind", "name"], name="reference_from"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.pointer} -> {self.to_kind} {self.to_name}"
