"""Gateways of an environment: which there are, what each runs, and how another one joins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from delivery import selectors, trust
from delivery.api import shapes
from delivery.api.base import DeliveryView, ShowsSecretOnce
from fleet.selectors import rings
from fleet.services import issue_enrolment_token, retire_gateway
from foundation.http import FieldError, Invalid, NotFound
from foundation.http.pages import page
from policies import selectors as policy
from policies.api.base import listed, page_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.mapping.bundles import SIGHT, timeline_end

STANDSTILL = timedelta(days=7)
"""A build a day is usual."""


class Status(DeliveryView):
    @extend_schema(operation_id="read_status", responses={200: shapes.Status, **REFUSALS})
    def get(self, request: Request, environment: str) -> Response:  # noqa: ARG002
        """What should run, and what does: the newest release, each ring's pointer, each gateway."""
        # The release before the pointers: who finds it told and the gateways in step may rely on both.
        head = policy.current_revision(environment)
        built = policy.newest_build(head) if head else None
        newest = selectors.releases(environment).first()
        now = timezone.now()
        found = selectors.by_ring(environment, now)
        ends = timeline_end(newest.bundle) if newest else None
        told = {
            "environment": environment,
            "revision": head.digest if head else None,
            "bundle": built.bundle_id if built else None,
            "release": newest,
            "in_step": all(
                seen.in_step and not seen.is_silent for _, _, gateways in found for seen in gateways
            ),
            "timeline_ends": ends,
            "timeline_alarm": ends is not None and ends < now + SIGHT - STANDSTILL,
            "rings": [
                {"ring": ring.name, "pointer": pointer, "gateways": gateways}
                for ring, pointer, gateways in found
            ],
        }
        return Response(shapes.Status(told).data)


class Gateways(DeliveryView):
    @extend_schema(
        operation_id="list_gateways",
        parameters=[
            OpenApiParameter("retired", bool, description="Those that were retired as well."),
            *PAGE,
        ],
        responses={200: shapes.GatewayPage, **REFUSALS},
    )
    def get(self, request: Request, environment: str) -> Response:
        """Gateways by name."""
        retired = request.query_params.get("retired", "") == "true"
        rows = selectors.gateways(environment, retired=retired)
        found = page(rows, order=("name", "id"), **page_of(request))
        now = timezone.now()
        seen = [selectors.seen(gateway, now) for gateway in found.items]
        return Response(listed(found, shapes.GatewayRow(seen, many=True).data))


class OneGateway(DeliveryView):
    @extend_schema(
        operation_id="retire_gateway",
        parameters=[IDEMPOTENCY_KEY],
        responses={200: shapes.GatewayRow, **REFUSALS},
    )
    def delete(self, request: Request, environment: str, gateway: str) -> Response:  # noqa: ARG002
        """Shut a gateway out: its credential stops working at once. Again, and it stays out."""
        row = selectors.gateways(environment, retired=True).filter(pk=gateway).first()
        if row is None:
            raise NotFound("not_found", f"`{environment}` has no gateway {gateway}.")
        retire_gateway(actor=self.actor, gateway=row)
        return Response(shapes.GatewayRow(selectors.seen(row, timezone.now())).data)


class EnrolmentTokens(ShowsSecretOnce):
    shown_once = "token"

    @extend_schema(
        operation_id="list_enrolment_tokens", parameters=PAGE, responses={200: shapes.TokenPage, **REFUSALS}
    )
    def get(self, request: Request, environment: str) -> Response:
        """Tokens that were issued and how often each was used; their secrets are not kept."""
        rows = selectors.tokens(environment)
        found = page(rows, order=("-created_at", "sha256"), **page_of(request))
        return Response(listed(found, shapes.TokenRow(found.items, many=True).data))

    @extend_schema(
        operation_id="issue_enrolment_token",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewToken,
        responses={201: shapes.IssuedToken, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """A secret that lets gateways join a ring for some minutes. Shown this once."""
        asked = shapes.NewToken(data=request.data)
        asked.is_valid(raise_exception=True)
        given: dict[str, Any] = asked.validated_data
        ring = rings(environment).filter(name=given["ring"]).first()
        if ring is None:
            error = FieldError("/ring", "unknown_ring", f"`{environment}` has no such ring")
            raise Invalid("unknown_ring", f"There is no ring `{given['ring']}`.", errors=[error])
        root = trust.first_root()
        secret = issue_enrolment_token(
            actor=self.actor, ring=ring, max_uses=given["max_uses"], life=timedelta(seconds=given["seconds"])
        )
        return Response({"token": secret, "root": root.digest, **given}, status=201)
