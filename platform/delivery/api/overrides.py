"""Emergency measures over REST: listed, begun, approved by a second person, lifted."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from delivery.api import shapes
from delivery.api.base import DeliveryView
from delivery.models import Override
from delivery.overrides import services, standing
from delivery.permissions import require_second
from foundation.http.pages import page
from policies.api.base import listed, page_of, text_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS


class Overrides(DeliveryView):
    @extend_schema(
        operation_id="list_overrides",
        parameters=[OpenApiParameter("in_force", bool, description="Only those that count now."), *PAGE],
        responses={200: shapes.OverridePage, **REFUSALS},
    )
    def get(self, request: Request, environment: str) -> Response:
        """Every override, newest first."""
        rows = Override.objects.filter(environment=environment)
        if text_of(request, "in_force") in ("1", "true"):
            rows = standing.rows_in_force(environment, standing.now_us())
        found = page(rows, order=("-asked_at", "id"), **page_of(request))
        return Response(listed(found, shapes.OverrideRow(found.items, many=True).data))

    @extend_schema(
        operation_id="begin_override",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewOverride,
        responses={201: shapes.OverrideRow, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """Put a measure in force; or ask for one that widens, and have a second person approve it."""
        asked = shapes.NewOverride(data=request.data)
        asked.is_valid(raise_exception=True)
        row = services.begin(actor=self.actor, environment=self.environment, **asked.validated_data)
        response = Response(shapes.OverrideRow(row).data, status=201)
        response["Location"] = f"/api/v1/environments/{environment}/overrides/{row.id}"
        return response


class OneOverride(DeliveryView):
    @extend_schema(operation_id="read_override", responses={200: shapes.OverrideRow, **REFUSALS})
    def get(self, request: Request, environment: str, override: str) -> Response:  # noqa: ARG002
        """One override."""
        return Response(shapes.OverrideRow(standing.override(environment, override)).data)


class Approve(DeliveryView):
    require_changer = staticmethod(require_second)

    @extend_schema(
        operation_id="approve_override",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: shapes.OverrideRow, **REFUSALS},
    )
    def post(self, request: Request, environment: str, override: str) -> Response:  # noqa: ARG002
        """The second person agrees to what widens: it is in force from now on."""
        found = standing.override(environment, override)
        row = services.approve(actor=self.actor, environment=self.environment, override=found)
        return Response(shapes.OverrideRow(row).data)


class Lift(DeliveryView):
    @extend_schema(
        operation_id="lift_override",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: shapes.OverrideRow, **REFUSALS},
    )
    def post(self, request: Request, environment: str, override: str) -> Response:  # noqa: ARG002
        """End a measure before its time. Again: nothing happens."""
        found = standing.override(environment, override)
        row = services.lift(actor=self.actor, environment=self.environment, override=found)
        return Response(shapes.OverrideRow(row).data)
