"""What was built: bundles, stored once by digest, and which build each of them came from."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from policies.models.written import DIGEST_LENGTH, ENVIRONMENT_LENGTH, Revision


class Bundle(models.Model):
    """A compiled policy. Identity is the digest of the manifest's exact bytes."""

    digest = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    manifest = models.BinaryField()
    size = models.PositiveBigIntegerField(help_text="Bytes of its files together.")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [models.Index(fields=["environment", "created_at"], name="bundle_by_environment")]

    def __str__(self) -> str:
        return self.digest


class BundleFile(models.Model):
    """A file of one or more bundles: most of them are the same from one bundle to the next."""

    sha256 = models.CharField(max_length=DIGEST_LENGTH, primary_key=True)
    content = models.BinaryField()

    class Meta:
        ordering: ClassVar = ["sha256"]

    def __str__(self) -> str:
        return self.sha256


class Build(models.Model):
    """One run of the compiler. The same four inputs always give the same bundle, so they run once."""

    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="builds")
    environment = models.CharField(max_length=ENVIRONMENT_LENGTH)
    at = models.DateTimeField(help_text="Start of the timeline: midnight UTC.")
    compiler = models.CharField(max_length=100)
    bundle = models.ForeignKey(Bundle, on_delete=models.PROTECT, related_name="builds")
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["revision", "environment", "at", "compiler"], name="build_once")
        ]

    def __str__(self) -> str:
        return f"{self.revision_id[:19]} at {self.at:%Y-%m-%d} -> {self.bundle_id[:19]}"
