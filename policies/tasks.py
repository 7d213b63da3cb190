"""What does policy do by itself? Whenever something was merged, build what is current."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import shared_task

from foundation import outbox
from policies import events, selectors
from policies.services import builds


def subscribe() -> None:
    """Called once Django is ready."""
    outbox.subscribe(events.MERGED)(build_what_is_current)


def build_what_is_current(event: Mapping[str, Any]) -> None:
    """Handler of ``policies.merged``. Of several merges in a row only the last one needs a bundle."""
    builds.build_current(environment=event["environment"])


@shared_task(name="policies.build_missing")
def build_missing() -> None:
    """Build what is current in every environment, where today's build is not there yet.

    Finds a merge whose event was lost; and after midnight, the timeline moves on.
    """
    for environment in selectors.environments():
        builds.build_current(environment=environment)
