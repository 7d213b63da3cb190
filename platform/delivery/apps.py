"""The delivery app's entry in Django's registry: its subscriptions are made when Django is ready."""

from __future__ import annotations

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"
    verbose_name = "Delivery"

    def ready(self) -> None:
        from delivery import tasks

        tasks.subscribe()
