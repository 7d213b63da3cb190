"""When may somebody's rights have changed? Whenever a row they rest on is saved or deleted.

Listening to the rows, rather than to the services that change them, leaves no way out: signing out, a
session swept away, a role taken, a token revoked, an account closed by whichever door.
"""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete, post_save, pre_delete

from telemetry.live.messages import Revoked
from telemetry.live.notice import tell
from tenancy.models import Membership, ServiceToken, User


def subscribe() -> None:
    """Once, when Django is ready."""
    for model in (Membership, ServiceToken, User):
        post_save.connect(_changed, sender=model, dispatch_uid=f"live-{model.__name__}-saved")
        pre_delete.connect(_changed, sender=model, dispatch_uid=f"live-{model.__name__}-deleted")
    post_delete.connect(_session_gone, sender=Session, dispatch_uid="live-session-gone")


def _changed(*, instance: Any, created: bool = False, **_: Any) -> None:
    if created and isinstance(instance, User):
        return
    user = {Membership: "user_id", ServiceToken: "owner_id", User: "pk"}[type(instance)]
    tell(Revoked(getattr(instance, user)))


def _session_gone(*, instance: Session, **_: Any) -> None:
    user = instance.get_decoded().get("_auth_user_id")
    if user is not None:
        tell(Revoked(int(user)))
