"""Usage, its lines, its statements and its exports."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import orjson
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.actors import Actor
from foundation.http.pages import limit_of, page
from ledger import periods, selectors
from ledger.api import shapes
from ledger.api.query import PARAMETERS, environment_of, page_of, text_of, wanted_by
from ledger.models import SUMS
from ledger.permissions import narrowed, visible_tenants
from tenancy.api.authentication import actor_of

PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="1 to 1000; 100 by default."),
]


class LedgerView(APIView):
    @property
    def actor(self) -> Actor:
        return actor_of(self.request)


class UsageView(LedgerView):
    @extend_schema(operation_id="read_usage", parameters=[*PARAMETERS, *PAGE], responses={200: shapes.Usage})
    def get(self, request: Request) -> Response:
        """Tokens and cost by step, tenant, tier and model: operators everybody's, tenants their own."""
        params = request.query_params
        wanted = wanted_by(params, self.actor)
        found, following = page_of(wanted, params.get("cursor"), limit_of(params.get("limit")))
        return Response(
            {
                "environment": wanted.environment,
                "since": wanted.since,
                "until": wanted.until,
                "items": [shapes.usage_row(row) for row in found],
                "next": following,
            }
        )


class UsageAsLines(LedgerView):
    @extend_schema(
        operation_id="export_usage_jsonl",
        parameters=PARAMETERS,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every line that ``GET /api/v1/usage`` shows, one JSON object a line."""
        rows = selectors.usage(wanted_by(request.query_params, self.actor))
        lines = (orjson.dumps(shapes.usage_row(row)) + b"\n" for row in rows)
        return _file(lines, "application/x-ndjson", "usage.jsonl")


class UsageAsTable(LedgerView):
    @extend_schema(
        operation_id="export_usage_csv",
        parameters=PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every line that ``GET /api/v1/usage`` shows, as a table with a heading."""
        wanted = wanted_by(request.query_params, self.actor)
        return _file(_table(wanted), "text/csv; charset=utf-8", "usage.csv")


class StatementsView(LedgerView):
    @extend_schema(
        operation_id="read_statements",
        parameters=[PARAMETERS[0], OpenApiParameter("tenant", str)],
        responses={200: shapes.Statements},
    )
    def get(self, request: Request) -> Response:
        """What each month charges each tenant, newest first. A closed month's totals never change."""
        tenants = narrowed(visible_tenants(self.actor), text_of(request.query_params, "tenant"))
        now = timezone.now()
        items = [
            {
                "month": row["statement"],
                "tenant": row["tenant"],
                "open": now < periods.closes(row["statement"]),
                "late": row["late"],
                "currency": row["currency"],
                **{name: row[f"sum_{name}"] for name in SUMS},
            }
            for row in selectors.statements(environment_of(request.query_params), tenants)
        ]
        return Response({"items": items})


class EventsView(LedgerView):
    @extend_schema(
        operation_id="list_usage_events",
        parameters=[PARAMETERS[0], PARAMETERS[3], OpenApiParameter("request_id", str), *PAGE],
        responses={200: shapes.Events},
    )
    def get(self, request: Request) -> Response:
        """The lines behind the totals, newest first."""
        params = request.query_params
        tenants = narrowed(visible_tenants(self.actor), text_of(params, "tenant"))
        rows = selectors.events(environment_of(params), tenants, request_id=text_of(params, "request_id"))
        found = page(rows, order=("-id",), cursor=params.get("cursor"), limit=limit_of(params.get("limit")))
        return Response({"items": shapes.EventRow(found.items, many=True).data, "next": found.next})


def _table(wanted: selectors.Wanted) -> Iterator[bytes]:
    names = list(shapes.columns(wanted.by))
    writer = csv.writer(_Echo())
    yield writer.writerow(names)
    for row in selectors.usage(wanted):
        shown = shapes.usage_row(row)
        yield writer.writerow([_safe(shown[name]) for name in names])


class _Echo:
    """A file whose write hands back what it was given."""

    def write(self, text: str) -> bytes:
        return text.encode()


def _safe(value: object) -> object:
    """A text that a spreadsheet would take for a formula is quoted."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _file(lines: Iterator[bytes], kind: str, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type=kind, headers=headers)
