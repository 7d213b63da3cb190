"""Delivery's sweeps: each finds rows that want something done, so a lost message loses nothing."""

from __future__ import annotations

from celery import shared_task
from django.db import transaction

from delivery import directories, heartbeats, releases
from delivery.trust import NoTrust
from fleet.models import Environment


@shared_task(name="delivery.renew_pointers")
def renew_pointers() -> int:
    """Renew every pointer past half of its life."""
    try:
        return heartbeats.renew_due()
    except NoTrust:
        return 0  # the key is elsewhere: another process renews


@shared_task(name="delivery.refresh_directories")
def refresh_directories() -> int:
    """Post every directory that is behind the keys; returns how many were."""
    names = Environment.objects.values_list("name", flat=True)
    return sum(directories.refresh(environment=name) for name in names)


@shared_task(name="delivery.note_progress")
def note_progress() -> None:
    """Close the releases that every gateway has answered."""
    for environment in Environment.objects.all():
        with transaction.atomic():
            releases.note_progress(environment=environment)
