"""Tenants' API keys and team shares, for operators: in force at the gateways at once, with no build."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from delivery.api import shapes
from delivery.api.base import (
    IF_NONE_MATCH,
    OPTIONAL_IF_MATCH,
    DeliveryView,
    ShowsSecretOnce,
    require_tenant,
    require_version,
    versioned,
)
from delivery.permissions import require_keeper
from foundation.http import NotFound
from foundation.http.pages import page
from policies.api.base import listed, page_of, text_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.services.teams import set_team_weight
from tenancy import credentials
from tenancy.models import ApiKey, TeamShare


class Keys(ShowsSecretOnce):
    require_changer = staticmethod(require_keeper)
    shown_once = "secret"

    @extend_schema(
        operation_id="list_keys",
        parameters=[OpenApiParameter("tenant", str, description="This tenant's only."), *PAGE],
        responses={200: shapes.KeyPage, **REFUSALS},
    )
    def get(self, request: Request, environment: str) -> Response:
        """API keys, revoked and expired ones too, newest first. Their secrets are not kept."""
        rows = ApiKey.objects.filter(environment=environment)
        if tenant := text_of(request, "tenant"):
            rows = rows.filter(tenant=tenant)
        found = page(rows, order=("-created_at", "key_id"), **page_of(request))
        return Response(listed(found, shapes.KeyRow(found.items, many=True).data))

    @extend_schema(
        operation_id="create_key",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewKey,
        responses={201: shapes.CreatedKey, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """A key for a tenant. Its secret is shown this once."""
        asked = shapes.NewKey(data=request.data)
        asked.is_valid(raise_exception=True)
        require_tenant(self.environment, asked.validated_data["tenant"])
        made = credentials.create_key(actor=self.actor, environment=environment, **asked.validated_data)
        return created(made)


class OneKey(DeliveryView):
    require_changer = staticmethod(require_keeper)

    @extend_schema(
        operation_id="read_key",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.KeyRow, 304: None, **REFUSALS},
    )
    def get(self, request: Request, environment: str, key: str) -> Response | HttpResponse:
        """Whose key it is, and whether it still works."""
        return versioned(request, shapes.KeyRow(the_key(environment, key)).data)

    @extend_schema(
        operation_id="revoke_key",
        parameters=[IDEMPOTENCY_KEY],
        responses={200: shapes.KeyRow, **REFUSALS},
    )
    def delete(self, request: Request, environment: str, key: str) -> Response | HttpResponse:
        """Revoke it, at once and for good. Again, and it stays revoked."""
        credentials.revoke_key(actor=self.actor, key=the_key(environment, key))
        return versioned(request, shapes.KeyRow(the_key(environment, key)).data)


class RotateKey(ShowsSecretOnce):
    require_changer = staticmethod(require_keeper)
    shown_once = "secret"

    @extend_schema(
        operation_id="rotate_key",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.Rotation,
        responses={201: shapes.CreatedKey, **REFUSALS},
    )
    def post(self, request: Request, environment: str, key: str) -> Response:
        """A new key for the same use; the old one works on for the overlap."""
        asked = shapes.Rotation(data=request.data)
        asked.is_valid(raise_exception=True)
        overlap = timedelta(seconds=asked.validated_data["overlap_seconds"])
        made = credentials.rotate_key(actor=self.actor, key=the_key(environment, key), overlap=overlap)
        return created(made)


class Shares(DeliveryView):
    @extend_schema(operation_id="list_shares", parameters=PAGE, responses={200: shapes.SharePage, **REFUSALS})
    def get(self, request: Request, environment: str) -> Response:
        """The weights that were set, by tenant."""
        rows = TeamShare.objects.filter(environment=environment)
        found = page(rows, order=("tenant",), **page_of(request))
        return Response(listed(found, shapes.ShareRow(found.items, many=True).data))


class OneShare(DeliveryView):
    require_changer = staticmethod(require_keeper)

    @extend_schema(
        operation_id="read_share",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.ShareRow, 304: None, **REFUSALS},
    )
    def get(self, request: Request, environment: str, tenant: str) -> Response | HttpResponse:
        """The weight of one tenant."""
        return versioned(request, share(environment, tenant))

    @extend_schema(
        operation_id="move_share",
        parameters=[OPTIONAL_IF_MATCH, IDEMPOTENCY_KEY],
        request=shapes.NewShare,
        responses={200: shapes.ShareRow, **REFUSALS},
    )
    def put(self, request: Request, environment: str, tenant: str) -> Response | HttpResponse:
        """Set the weight of one team, where a tenant above it may: `beyond_delegation` otherwise."""
        asked = shapes.NewShare(data=request.data)
        asked.is_valid(raise_exception=True)
        require_tenant(self.environment, tenant)
        if "If-Match" in request.headers:
            require_version(request, share(environment, tenant), "TeamShare", tenant)
        set_team_weight(actor=self.actor, environment=environment, team=tenant, **asked.validated_data)
        return versioned(request, share(environment, tenant))


def created(made: credentials.NewKey) -> Response:
    response = Response({**shapes.KeyRow(made.row).data, "secret": made.secret}, status=201)
    response["Location"] = f"/api/v1/environments/{made.row.environment}/keys/{made.row.key_id}"
    return response


def the_key(environment: str, key_id: str) -> ApiKey:
    found = ApiKey.objects.filter(environment=environment, pk=key_id).first()
    if found is None:
        raise NotFound("not_found", f"`{environment}` has no key {key_id}.", kind="ApiKey", name=key_id)
    return found


def share(environment: str, tenant: str) -> dict[str, Any]:
    found = TeamShare.objects.filter(environment=environment, tenant=tenant).first()
    if found is None:
        raise NotFound("not_found", f"No weight was set for `{tenant}`.", kind="TeamShare", name=tenant)
    return dict(shapes.ShareRow(found).data)
