"""The telemetry app's entry in Django's registry: it hears of rights that change once Django is ready."""

from __future__ import annotations

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    name = "telemetry"
    verbose_name = "Telemetry"

    def ready(self) -> None:
        from telemetry.live import revocations

        revocations.subscribe()
