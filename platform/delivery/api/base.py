"""What do all of delivery's endpoints share? Who acts, in which environment, and which version was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from coordination.program.canonical import sha256_digest
from delivery import selectors
from delivery.permissions import require_reader, require_releaser
from fleet.models import Environment
from foundation.actors import Actor
from foundation.http import FieldError, Invalid, PreconditionFailed
from foundation.http.rest import Idempotent
from foundation.http.versions import etag, expected_version, not_modified
from policies import selectors as policy
from tenancy.api.authentication import actor_of

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="ETag last seen: 304 if it still holds."
)
OPTIONAL_IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="ETag last seen; optional."
)


class DeliveryView(Idempotent):
    """A view of one environment's delivery. The caller's right is looked at before the environment is."""

    environment: Environment
    require_changer = staticmethod(require_releaser)
    """Whether the caller may do what is not just reading."""

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in SAFE_METHODS:
            require_reader(self.actor)
        else:
            self.require_changer(self.actor, kwargs["environment"])
        self.environment = selectors.environment(kwargs["environment"])


class ShowsSecretOnce(DeliveryView):
    """A view whose answer holds a secret: a repeated request gets the answer without it."""

    shown_once: str
    """Name of that member."""

    def remembered(self, response: Any) -> bytes:
        data = getattr(response, "data", None)
        if not isinstance(data, Mapping) or self.shown_once not in data:
            return super().remembered(response)
        return orjson.dumps({**orjson.loads(response.content), self.shown_once: None})


def versioned(request: Request, data: Mapping[str, Any], *, status: int = 200) -> Response | HttpResponse:
    """``data`` with its digest as ETag; nothing but 304 for who holds it already."""
    version = version_of(data)
    if request.method == "GET" and not_modified(request._request, version):
        return HttpResponse(status=304, headers={"ETag": etag(version)})
    return Response(data, status=status, headers={"ETag": etag(version)})


def require_version(request: Request, data: Mapping[str, Any], kind: str, name: str) -> None:
    """With an ``If-Match`` in the request: ``PreconditionFailed`` unless it still holds."""
    if "If-Match" not in request.headers:
        return
    expected = expected_version(request._request)
    if not expected.any_version and expected.version != version_of(data):
        raise PreconditionFailed("stale_edit", f"{kind} `{name}` changed since.", kind=kind, name=name)


def version_of(data: Mapping[str, Any]) -> str:
    return sha256_digest(orjson.dumps(data, option=orjson.OPT_SORT_KEYS))


def require_tenant(environment: Environment, tenant: str) -> None:
    """``Invalid`` (``unknown_tenant``) unless the environment's policy has it now."""
    if policy.head(environment.name, "Tenant", tenant) is None:
        error = FieldError("/tenant", "unknown_tenant", f"`{environment.name}` has no tenant of that name")
        raise Invalid("unknown_tenant", f"There is no tenant `{tenant[:80]}`.", errors=[error])
