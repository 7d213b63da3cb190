"""Why was a request refused, slow, or sent there? Asked by request id, or listed newest first."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.http import NotFound
from foundation.http.pages import limit_of, page
from ledger.api.query import environment_of, text_of
from ledger.api.shapes import EventRow
from ledger.permissions import narrowed, visible_tenants
from telemetry.decisions import selectors
from telemetry.decisions.advice import advice
from telemetry.decisions.explained import tell
from telemetry.decisions.models import KeptDecision
from tenancy.api.authentication import actor_of

REASONS = ("refused", "failed", "slow", "sampled")


class _Summary(serializers.Serializer[Any]):
    request_id = serializers.CharField()
    reason = serializers.CharField(help_text="Why it was kept; empty: only its account was.")
    at = serializers.DateTimeField(help_text="When it ended.")
    tenant = serializers.CharField()
    tier = serializers.CharField()
    model = serializers.CharField()
    code = serializers.CharField(help_text="Of a refusal or a failure; else empty.")
    advice = serializers.CharField(help_text="What its sender can do about it.")


class ExplainedDecision(_Summary):
    environment = serializers.CharField()
    gateway = serializers.CharField(help_text="Empty for a tenant's people.")
    explanation = serializers.DictField(
        allow_null=True, help_text="As its gateway wrote it; null: not kept (a sample of what goes well is)."
    )
    usage = EventRow(many=True, help_text="Its lines in the ledger, one an attempt.")


class Decisions(serializers.Serializer[Any]):
    items = _Summary(many=True)
    next = serializers.CharField(allow_null=True)


class DecisionView(APIView):
    @extend_schema(operation_id="read_decision", responses={200: ExplainedDecision})
    def get(self, request: Request, request_id: str) -> Response:
        """Everything known of one request: staff all of it, a tenant's people what concerns them."""
        told = tell(request_id, visible_tenants(actor_of(request)))
        if told is None:
            raise NotFound("not_found", f"Nothing is kept of a request `{request_id}`.")
        return Response(
            {
                "request_id": told.request_id,
                "environment": told.environment,
                "gateway": told.gateway,
                "reason": told.reason,
                "at": selectors.instant(told.at_us),
                "tenant": told.tenant,
                "tier": told.tier,
                "model": told.model,
                "code": told.code,
                "advice": told.advice,
                "explanation": told.explanation,
                "usage": EventRow(told.usage, many=True).data,
            }
        )


class DecisionsView(APIView):
    @extend_schema(
        operation_id="list_decisions",
        parameters=[
            OpenApiParameter("environment", str, description="May be left out while there is one."),
            OpenApiParameter("tenant", str, description="This tenant and all below it."),
            OpenApiParameter("reason", str, enum=REASONS),
            OpenApiParameter("code", str),
            OpenApiParameter("cursor", str, description="`next` of the page before."),
            OpenApiParameter("limit", int, description="1 to 1000; 100 by default."),
        ],
        responses={200: Decisions},
    )
    def get(self, request: Request) -> Response:
        """What is kept, newest first."""
        params = request.query_params
        tenants = narrowed(visible_tenants(actor_of(request)), text_of(params, "tenant"))
        rows = selectors.decisions(environment_of(params), tenants).defer("document")
        for name in ("reason", "code"):
            if given := text_of(params, name):
                rows = rows.filter(**{name: given})
        found = page(rows, order=("-id",), cursor=params.get("cursor"), limit=limit_of(params.get("limit")))
        return Response({"items": [_summary(row) for row in found.items], "next": found.next})


def _summary(row: KeptDecision) -> dict[str, Any]:
    return {
        "request_id": row.request_id,
        "reason": row.reason,
        "at": selectors.instant(row.at_us),
        "tenant": row.tenant,
        "tier": row.tier,
        "model": row.model,
        "code": row.code,
        "advice": advice(row.code),
    }
