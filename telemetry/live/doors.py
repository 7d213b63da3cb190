"""Who opens a socket, from where, and what may they listen to?

A browser comes with its session and an Origin that is ours; a missing one is refused like a wrong one,
for every browser sends it. A program comes with a ticket. What somebody may see is looked up again every
minute, and at once when it may have changed. Called in threads: these read the database.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.db import connection
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from fleet.selectors import environments
from foundation.http.raw import header
from telemetry.live import tickets
from telemetry.live.tickets import Bearer
from tenancy.models import ServiceToken, User
from tenancy.permissions import may_see_platform
from tenancy.selectors import tenants

READ = "read"
"""Scope a service token needs."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody let in, and what they may see."""

    bearer: Bearer
    staff: bool
    tenants: tuple[str, ...]
    """Full paths of those whose administrator they are."""
    environments: tuple[str, ...]

    @property
    def user(self) -> int:
        return self.bearer.user


def from_our_pages(scope: MutableMapping[str, Any]) -> bool | None:
    """Whether the Origin is one of ours; None if there is none."""
    origin = header(scope, b"origin")
    if not origin:
        return None
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    host = header(scope, b"host")
    domain, _ = split_domain_port(host)
    try:
        known = bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
    except DisallowedHost:  # pragma: no cover - validate_host answers, it does not raise
        return False
    secure = scope.get("scheme") == "wss" or settings.HTTPS
    return known and parts.netloc == host and parts.scheme in (("https",) if secure else ("http", "https"))


def bearer_of_session(scope: MutableMapping[str, Any]) -> Bearer | None:
    """The person whose session came along."""
    try:
        cookies: SimpleCookie = SimpleCookie(header(scope, b"cookie"))
    except CookieError:
        return None
    morsel = cookies.get(settings.SESSION_COOKIE_NAME)
    if morsel is None:
        return None
    user = _user_of_session(morsel.value)
    return None if user is None else Bearer(user.pk, session=morsel.value)


def bearer_of_ticket(secret: str) -> Bearer | None:
    return tickets.redeem(secret)


def standing(bearer: Bearer) -> Guest | None:
    """What ``bearer`` may see now; None for somebody who may not be here any longer."""
    try:
        user = _user(bearer)
        if user is None or not user.is_active:
            return None
        staff, own = may_see_platform(user), tuple(tenants(user))
        if not staff and not own:
            return None
        known = tuple(environments().values_list("name", flat=True))
        return Guest(bearer, staff, own, known)
    finally:
        connection.close()


def _user(bearer: Bearer) -> User | None:
    if bearer.session:
        user = _user_of_session(bearer.session)
        return user if user is not None and user.pk == bearer.user else None
    if bearer.token is not None:
        token = ServiceToken.objects.filter(pk=bearer.token, revoked_at=None).first()
        if token is None or token.expires_at <= timezone.now() or READ not in token.scopes:
            return None
    return User.objects.filter(pk=bearer.user).first()


def _user_of_session(key: str) -> User | None:
    """The person a session is of; its hash is looked at too, so that a new password ends old sessions."""
    engine = import_module(settings.SESSION_ENGINE)
    user = get_user(SimpleNamespace(session=engine.SessionStore(key)))  # type: ignore[arg-type]
    return user if isinstance(user, User) else None
