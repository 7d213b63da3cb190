"""What does policy do by itself? Whenever something was merged, build what is current."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foundation import outbox
from policies import events, selectors
from policies.services import builds


def subscribe() -> None:
    """Called once Django is ready."""
    outbox.subscribe(events.MERGED)(build_what_is_current)


def build_what_is_current(event: Mapping[str, Any]) -> None:
    """Handler of ``policies.merged``. Of several merges in a row only the last one needs a bundle."""
    builds.build_current(environment=event["environment"])


def refresh() -> None:
    """Build every environment's policy for today: the timeline moves on, the documents stay."""
    for environment in selectors.environments():
        builds.build_current(environment=environment)
