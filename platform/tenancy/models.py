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
    """What a membership allows. The first three are the platform's own; the last is a tenant's."""

    OPERATOR = "operator", "Operator"
    APPROVER = "approver", "Approver"
    VIEWER = "viewer", "Viewer"
    TENANT_ADMIN = "tenant_admin", "Tenant administrator"


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
                condition=models.Q(tenant="") ^ models.Q(role=Role.TENANT_ADMIN),
                violation_error_message="A tenant's administrator has a tenant, every other role none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user.username}: {self.role}{' of ' + self.tenant if self.tenant else ''}"
