"""What was ever written: documents, the trees that hold them, the revisions that name the trees.

All three are content-addressed and immutable (``foundation.immutability``).
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

DIGEST_LENGTH = 71
"""``sha256:`` and 64 hex digits."""
NAME_LENGTH = 600
ENVIRONMENT_LENGTH = 63
KIND_LENGTH = 63


class Document(models.Model):
    """One object of the policy, as its canonical JSON. Equal meanings are one row."""

    digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    kind = models.CharField(max_length=KIND_LENGTH)
    name = models.CharField(max_length=NAME_LENGTH)
    body = models.BinaryField()
    size = models.PositiveIntegerField(help_text="Bytes of the body.")

    class Meta:
        ordering: ClassVar = ["kind", "name"]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.digest[:19]})"


class Tree(models.Model):
    """One object of the Merkle tree over documents (``coordination.bundle.tree``)."""

    digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    body = models.BinaryField()

    class Meta:
        ordering: ClassVar = ["digest"]

    def __str__(self) -> str:
        return self.digest


class Revision(models.Model):
    """An environment's whole policy at one time, and how it came about."""

    digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    number = models.PositiveBigIntegerField(help_text="1, 2, 3 ... in its environment.")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    root_tree = models.ForeignKey(Tree, on_delete=models.PROTECT, related_name="+")
    change_set = models.ForeignKey("policies.ChangeSet", on_delete=models.PROTECT, related_name="revisions")
    author_name = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["environment", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "number"], name="revision_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.environment} revision {self.number}"
