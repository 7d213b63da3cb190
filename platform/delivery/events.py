"""What makes delivery act: a bundle was built, a directory changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delivery import directories, releases, trust
from fleet.models import Environment
from foundation.actors import SYSTEM
from foundation.outbox import subscribe as on
from policies.models import Bundle


def subscribe() -> None:
    """Called once, when Django is ready."""
    on("policies.built")(_built)
    on("tenancy.directory_changed")(_directory_changed)


def _built(payload: Mapping[str, Any]) -> None:
    """Sign what was built, and release it unless it runs already: the event may come twice."""
    environment = Environment.objects.get(name=payload["environment"])
    bundle = Bundle.objects.get(digest=payload["bundle"])
    trust.sign_bundle(digest=bundle.digest, manifest=bytes(bundle.manifest))
    newest = environment.releases.first()
    if newest is not None and newest.bundle == bundle.digest:
        return
    if not trust.is_signed(bundle.digest):
        return  # waits for people's signatures; `headway sign` releases it
    releases.publish(
        actor=SYSTEM,
        environment=environment,
        bundle=bundle.digest,
        reason=str(payload.get("reason", "")),
    )


def _directory_changed(payload: Mapping[str, Any]) -> None:
    directories.refresh(environment=payload["environment"])
