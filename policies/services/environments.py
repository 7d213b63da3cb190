"""How does an environment come to have a policy? With a head that points nowhere yet."""

from __future__ import annotations

import re

from django.db import transaction

from foundation import audit
from foundation.actors import Actor
from foundation.http import FieldError, Invalid, NotFound
from policies import selectors
from policies.models import EnvironmentHead
from policies.permissions import require_editor

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def create_environment(*, actor: Actor, environment: str) -> None:
    """Let documents be merged into ``environment``; nothing happens if they already can be."""
    require_editor(actor, environment)
    if not NAME.match(environment):
        error = FieldError("/environment", "bad_name", "lower-case letters, digits and hyphens, at most 63")
        raise Invalid("invalid_request", f"`{environment[:80]}` names no environment.", errors=[error])
    if selectors.environment_exists(environment):
        return
    with transaction.atomic():
        _, made = EnvironmentHead.objects.get_or_create(pk=environment)
        if made:
            audit.record(
                actor=actor,
                action="policies.environment_created",
                object_kind="Environment",
                object_name=environment,
                environment=environment,
            )


def require_environment(environment: str) -> None:
    """``NotFound`` for a name nobody created."""
    if not selectors.environment_exists(environment):
        raise NotFound(
            "unknown_environment",
            f"There is no environment `{environment[:80]}`.",
            kind="Environment",
            name=environment[:80],
        )
