"""What do all of policy's endpoints share? Who acts, which page is asked for, what is not there."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model
from rest_framework.request import Request

from coordination.spec import KINDS
from foundation.actors import Actor
from foundation.http import FieldError, Malformed, NotFound
from foundation.http.pages import Page, limit_of
from foundation.http.rest import Idempotent
from policies.permissions import require_reader
from policies.services.environments import require_environment
from tenancy.api.authentication import actor_of

_M = TypeVar("_M", bound=Model)
LONGEST_SEARCH = 200


class PolicyView(Idempotent):
    """A view of policy: its caller may at least read."""

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        require_reader(self.actor)
        if "environment" in kwargs:
            require_environment(kwargs["environment"])
        if "kind" in kwargs and kwargs["kind"] not in KINDS:
            raise NotFound("unknown_kind", f"There is no kind `{kwargs['kind']}`.")


def text_of(request: Request, name: str) -> str:
    """A query parameter; empty when it is absent."""
    given = request.query_params.get(name, "")
    if len(given) > LONGEST_SEARCH or "\0" in given:
        error = FieldError(f"/{name}", "malformed", f"at most {LONGEST_SEARCH} printable characters")
        raise Malformed("malformed_query", f"`{name}` will not do.", errors=[error])
    return given


def page_of(request: Request) -> dict[str, Any]:
    """``cursor`` and ``limit`` as ``foundation.http.pages.page`` takes them."""
    params = request.query_params
    return {"cursor": params.get("cursor"), "limit": limit_of(params.get("limit"))}


def listed(found: Page[_M], items: Any) -> dict[str, Any]:
    return {"items": items, "next": found.next}
