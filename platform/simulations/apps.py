"""The simulations app's entry in Django's registry."""

from __future__ import annotations

from django.apps import AppConfig


class SimulationsConfig(AppConfig):
    name = "simulations"
    verbose_name = "Simulations"

    def ready(self) -> None:
        from simulations import tasks

        tasks.subscribe()
