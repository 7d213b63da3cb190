"""Who are the people, and what is each of them to the platform or to a tenant?"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Somebody who signs in."""

    is_demo = models.BooleanField(
        "demo account",
        default=False,
        help_text="Made by `headway up`; may sign in from this machine only.",
    )

    class Meta:
        ordering: ClassVar = ["username"]

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class Role(models.TextChoices):
    """What a membership allows. The first three are the platform's own; the others are a tenant's."""

    OPERATOR = "operator", "Operator"
    APPROVER = "approver", "Approver"
    VIEWER = "viewer", "Viewer"
    TENANT_ADMIN = "tenant_admin", "Tenant administrator"
    TENANT_MEMBER = "tenant_member", "Tenant member"


TENANT_ROLES = (Role.TENANT_ADMIN.value, Role.TENANT_MEMBER.value)
"""Administrators change things; members look."""


class Membership(models.Model):
    """One role of one user: on the platform (``tenant`` empty) or in one tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.CharField(
        max_length=253,
        blank=True,
        help_text="Name of the tenant document; empty for the platform's own staff.",
    )
    role = models.CharField(max_length=32, choices=Role.choices)

    class Meta:
        ordering: ClassVar = ["tenant", "role"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "tenant", "role"], name="membership_once"),
            models.CheckConstraint(
                name="membership_role_fits_tenant",
                condition=models.Q(tenant="") ^ models.Q(role__in=TENANT_ROLES),
                violation_error_message="A tenant's people have a tenant, every other role none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user.username}: {self.role}{' of ' + self.tenant if self.tenant else ''}"


class ApiKey(models.Model):
    """A tenant's key to the gateways. The secret is shown once; its digest is kept."""

    key_id = models.CharField(max_length=10, primary_key=True, editable=False)
    sha256 = models.CharField(max_length=71, unique=True, editable=False)
    environment = models.CharField(max_length=63)
    tenant = models.CharField(max_length=512, help_text="Full path of the tenant.")
    name = models.CharField(max_length=100, help_text="What it is for.")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    created_by_name = models.CharField(max_length=200)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaces"
    )

    class Meta:
        ordering: ClassVar = ["environment", "tenant", "created_at"]
        indexes: ClassVar = [models.Index(fields=["environment", "tenant"], name="apikey_by_tenant")]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} of {self.tenant} ({self.key_id})"


class TeamShare(models.Model):
    """The weight a tenant's administrators gave one of its teams, within the delegation."""

    environment = models.CharField(max_length=63)
    tenant = models.CharField(max_length=512, help_text="Full path of the team.")
    weight_ppm = models.PositiveBigIntegerField(help_text="Millionths; 1,000,000 is a weight of one.")
    changed_at = models.DateTimeField()
    changed_by_name = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["environment", "tenant"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "tenant"], name="team_share_once")
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.weight_ppm} ppm"


class TeamLimit(models.Model):
    """A limit that a tenant's administrators set for one of its teams, within the delegation."""

    environment = models.CharField(max_length=63)
    tenant = models.CharField(max_length=512, help_text="Full path of the team.")
    of = models.CharField(max_length=16)
    per = models.CharField(max_length=8)
    amount = models.PositiveBigIntegerField(help_text="Requests, tokens or nano-units of money, by `of`.")
    changed_at = models.DateTimeField()
    changed_by_name = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["environment", "tenant", "of", "per"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["environment", "tenant", "of", "per"], name="team_limit_once")
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.amount} of {self.of} per {self.per}"


class LimitCredit(models.Model):
    """More of a limit, once, for the period in which it was given; kept for good, as a record."""

    id = models.CharField(primary_key=True, max_length=29)
    environment = models.CharField(max_length=63)
    tenant = models.CharField(max_length=512, help_text="Whose limit it is.")
    quota = models.CharField(max_length=63)
    of = models.CharField(max_length=16)
    per = models.CharField(max_length=8)
    amount = models.PositiveBigIntegerField(
        null=True,
        help_text="Requests, tokens or nano-units of money, by `of`; null: all of it again.",
    )
    reason = models.CharField(max_length=500)
    made_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Its period is over by then; gateways are not told any more.")
    made_by_name = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["-made_at", "id"]
        indexes: ClassVar = [models.Index(fields=["environment", "ends_at"], name="credit_in_force")]

    def __str__(self) -> str:
        return f"{self.quota}: {self.of} per {self.per}"


class ServiceToken(models.Model):
    """A program's sign-in to the REST API: scoped, expiring, kept as a digest."""

    class Scope(models.TextChoices):
        READ = "read", "Read"
        POLICY = "policy", "Change policy"
        RELEASE = "release", "Release and roll back"

    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="service_tokens")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} of {self.owner}"
