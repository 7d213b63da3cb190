"""Trust, releases, pointers, directories, and what each gateway says it runs."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from fleet.models import Environment, Gateway, Ring


class TrustRoot(models.Model):
    """One signed ``root.json``: which keys may sign bundles and pointers. Append-only."""

    version = models.PositiveIntegerField(primary_key=True)
    digest = models.CharField(max_length=71, unique=True)
    envelope = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["version"]

    def __str__(self) -> str:
        return f"root {self.version}"


class Signature(models.Model):
    """One key's envelope over one bundle's manifest; promotion adds another to the same digest."""

    digest = models.CharField(max_length=71)
    key = models.CharField(max_length=71)
    envelope = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["digest", "key"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["digest", "key"], name="signature_once")]

    def __str__(self) -> str:
        return f"{self.digest[:19]} by {self.key[:19]}"


class DirectoryVersion(models.Model):
    """One state of an environment's directory: its exact bytes. Append-only, never rolled back."""

    digest = models.CharField(max_length=71, primary_key=True)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="directories")
    serial = models.PositiveBigIntegerField()
    content = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["environment", "-serial"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "serial"], name="directory_serial_once")
        ]

    def __str__(self) -> str:
        return f"directory {self.serial} of {self.environment_id}"


class Release(models.Model):
    """One movement of an environment's pointers to a bundle."""

    class State(models.TextChoices):
        RUNNING = "running", "Rolling out"
        DONE = "done", "Active everywhere"
        REFUSED = "refused", "Refused by a gateway"
        SUPERSEDED = "superseded", "Superseded"

    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="releases")
    version = models.PositiveBigIntegerField()
    bundle = models.CharField(max_length=71)
    rollback_of = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The version whose bundle this release brings back."
    )
    revision = models.CharField(
        max_length=71, blank=True, help_text="The revision whose build was released of its own accord."
    )
    reason = models.CharField(max_length=300, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["environment", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "version"], name="release_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.environment_id} release {self.version}"


class Stage(models.Model):
    """One ring's part of a release."""

    class State(models.TextChoices):
        RUNNING = "running", "Waiting for gateways"
        DONE = "done", "Active"
        REFUSED = "refused", "Refused by a gateway"
        SKIPPED = "skipped", "Skipped"
        SUPERSEDED = "superseded", "Superseded"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    ring = models.ForeignKey(Ring, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    note = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["release", "position"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["release", "position"], name="stage_once")]

    def __str__(self) -> str:
        return f"{self.release}, ring {self.ring.name}"


class Pointer(models.Model):
    """What one ring should run now: the signed statement and its parts. Written by ``advance`` alone."""

    ring = models.OneToOneField(Ring, on_delete=models.PROTECT, related_name="pointer")
    serial = models.PositiveBigIntegerField()
    version = models.PositiveBigIntegerField()
    bundle = models.CharField(max_length=71)
    directory = models.ForeignKey(DirectoryVersion, on_delete=models.PROTECT, related_name="+")
    rollback_of = models.PositiveBigIntegerField(null=True, blank=True)
    issued_at = models.PositiveBigIntegerField(help_text="Microseconds since 1970.")
    expires_at = models.PositiveBigIntegerField(help_text="Microseconds since 1970.")
    envelope = models.BinaryField()
    etag = models.CharField(max_length=71, help_text="Digest of the envelope.")

    class Meta:
        ordering: ClassVar = ["ring"]

    def __str__(self) -> str:
        return f"pointer {self.serial} of {self.ring}"


class Override(models.Model):
    """An emergency measure: asked for, put in force, ended. Kept for good, as a record.

    What widens waits for a second person; until then it has no times and is in no pointer.
    """

    id = models.CharField(primary_key=True, max_length=44)
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="overrides")
    kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=512, blank=True, help_text="What it is about, by kind.")
    amount_ppm = models.PositiveIntegerField(null=True, blank=True, help_text="`raise_limit`: the factor.")
    reason = models.CharField(max_length=300)
    lasts = models.PositiveIntegerField(help_text="Seconds.")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_by_name = models.CharField(max_length=150)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    approved_by_name = models.CharField(max_length=150, blank=True)
    issued_at = models.PositiveBigIntegerField(null=True, blank=True, help_text="Microseconds since 1970.")
    expires_at = models.PositiveBigIntegerField(null=True, blank=True, help_text="Microseconds since 1970.")
    ended_at = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Microseconds since 1970; when somebody ended it, or gave it up."
    )
    ended_by_name = models.CharField(max_length=150, blank=True)
    change_set = models.ForeignKey(
        "policies.ChangeSet", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering: ClassVar = ["-asked_at", "id"]
        indexes: ClassVar = [models.Index(fields=["environment", "expires_at"], name="override_in_force")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()


class GatewayState(models.Model):
    """A gateway's last word about itself: what it was told, what it tried, what it runs."""

    gateway = models.OneToOneField(Gateway, on_delete=models.CASCADE, related_name="state", primary_key=True)
    boot_id = models.CharField(max_length=64, help_text="Changes with each start of the gateway.")
    seq = models.PositiveBigIntegerField(help_text="Number of the report within that boot.")
    state = models.CharField(max_length=12)
    serial = models.PositiveBigIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)
    desired = models.CharField(max_length=71, blank=True)
    attempted = models.CharField(max_length=71, blank=True)
    applied = models.CharField(max_length=71, blank=True)
    applied_directory = models.CharField(max_length=71, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.JSONField(default=dict, blank=True)
    timings = models.JSONField(default=dict, blank=True, help_text="Microseconds spent in each step.")
    capabilities = models.JSONField(default=list, blank=True)
    clock_skew = models.BigIntegerField(default=0, help_text="Microseconds the gateway's clock is ahead.")
    reported_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["gateway"]

    def __str__(self) -> str:
        return f"{self.gateway_id}: {self.state}"
