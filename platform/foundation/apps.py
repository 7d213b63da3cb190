"""The foundation app's entry in Django's registry."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

from foundation import immutability


class FoundationConfig(AppConfig):
    name = "foundation"
    verbose_name = "Evidence and events"

    def ready(self) -> None:
        post_migrate.connect(_install_guards, sender=self, dispatch_uid="foundation.immutability")


def _install_guards(using: str, **_signal: Any) -> None:
    """After every migration: SQLite drops the triggers of a table it rebuilds, and says nothing."""
    immutability.install(connections[using])
