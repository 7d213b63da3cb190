"""Environments, their rings, the gateways in them, and the tokens by which a gateway joins."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

NAME = RegexValidator(
    r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z",
    "Lower-case letters, digits, dots and hyphens; at most 63; a letter or digit at both ends.",
)


class Environment(models.Model):
    """A place a policy set is in force: dev, staging, production."""

    name = models.CharField(max_length=63, primary_key=True, validators=[NAME])
    pointer_lifetime = models.PositiveIntegerField(
        default=600, help_text="Seconds a signed pointer is good for; it is renewed at half of that."
    )
    route_salt = models.CharField(
        max_length=128, editable=False, help_text="Spreads requests over a route's targets (R4): hex."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Ring(models.Model):
    """A share of an environment's gateways, which a release reaches at one time."""

    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="rings")
    name = models.CharField(max_length=63, validators=[NAME])
    position = models.PositiveSmallIntegerField(help_text="Earlier rings are released to first.")

    class Meta:
        ordering: ClassVar = ["environment", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "name"], name="ring_name_once"),
            models.UniqueConstraint(fields=["environment", "position"], name="ring_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.environment_id}/{self.name}"


class EnrolmentToken(models.Model):
    """Lets a new gateway join one ring, for a short while. The secret is kept as its digest."""

    sha256 = models.CharField(max_length=64, primary_key=True, editable=False)
    ring = models.ForeignKey(Ring, on_delete=models.CASCADE, related_name="tokens")
    max_uses = models.PositiveIntegerField(default=1)
    uses = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="enrolment_token_not_overused", condition=models.Q(uses__lte=models.F("max_uses"))
            ),
        ]

    def __str__(self) -> str:
        return f"token for {self.ring} by {self.created_by_name}"


class Gateway(models.Model):
    """One enrolled gateway. Its credential is kept as its digest; its key stays with it."""

    id = models.CharField(max_length=29, primary_key=True, editable=False)
    name = models.CharField(max_length=63, validators=[NAME])
    ring = models.ForeignKey(Ring, on_delete=models.PROTECT, related_name="gateways")
    public_key = models.CharField(max_length=64, help_text="Raw Ed25519 key of the gateway, hex.")
    credential_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    enrolled_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["ring", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ring", "name"], condition=models.Q(retired_at=None), name="gateway_name_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"
