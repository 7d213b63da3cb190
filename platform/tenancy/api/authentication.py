"""How does a program sign in to the REST API, and who acts when it does?"""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from foundation.actors import Actor, Automaton
from tenancy.credentials import authenticate_service_token
from tenancy.models import ServiceToken, User

SCHEME = "Bearer"


class ServiceTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer hws_...``. The request's user is the token's owner."""

    def authenticate(self, request: Request) -> tuple[User, ServiceToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != SCHEME.lower().encode():
            return None
        token = authenticate_service_token(secret.decode("latin-1"))
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - REST framework's signature
        return SCHEME


def actor_of(request: Request) -> Actor:
    """Who answers for what this request does: the person, or the token on the person's behalf."""
    token: Any = request.auth
    if isinstance(token, ServiceToken):
        return Automaton(f"token:{token.name}", on_behalf=token.owner, scopes=frozenset(token.scopes))
    user: Any = request.user
    return user  # type: ignore[no-any-return] # views of the API are for the signed-in alone
