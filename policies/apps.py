"""The policies app's entry in Django's registry: it hears of merges once Django is ready."""

from __future__ import annotations

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "policies"
    verbose_name = "Policies"

    def ready(self) -> None:
        from policies import tasks

        tasks.subscribe()
