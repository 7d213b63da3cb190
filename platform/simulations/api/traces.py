"""Traces: sent as they are, listed, taken away."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.http.pages import page
from policies.api.base import listed, page_of, text_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from simulations import selectors, services
from simulations.api import shapes
from simulations.api.base import SimulationView, Unread, pieces, require_body, the_trace

BODIES = ("application/x-ndjson", "application/json", "text/csv", "application/octet-stream")


class Traces(SimulationView):
    parser_classes = (Unread,)

    @extend_schema(operation_id="list_traces", parameters=PAGE, responses={200: shapes.TracePage, **REFUSALS})
    def get(self, request: Request, environment: str) -> Response:
        """Traces that are kept, newest first, and the names of the examples."""
        found = page(selectors.traces(environment), order=("-id",), **page_of(request))
        items = listed(found, shapes.TraceRow(found.items, many=True).data)
        return Response({**items, "examples": [each.name for each in selectors.examples()]})

    @extend_schema(
        operation_id="upload_trace",
        parameters=[OpenApiParameter("name", str, required=True, description="What it is to be called.")],
        request=dict.fromkeys(BODIES, OpenApiTypes.BINARY),
        responses={200: shapes.TraceRow, 201: shapes.TraceRow, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """Keep the body as a trace: Mooncake lines, Azure CSV, a recording, or JSON that describes traffic.

        It is read through first; 422 ``unreadable_trace`` tells each bad line. The same bytes again are the
        trace that is there (200), so a repeat needs no Idempotency-Key.
        """
        require_body(request, BODIES)
        trace, made = services.upload_trace(
            actor=self.actor, environment=environment, name=text_of(request, "name"), chunks=pieces(request)
        )
        response = Response(shapes.TraceRow(trace).data, status=201 if made else 200)
        response["Location"] = f"/api/v1/environments/{environment}/traces/{trace.pk}"
        return response

    def claims(self, request: Request) -> bool:  # noqa: ARG002
        return False


class OneTrace(SimulationView):
    @extend_schema(operation_id="read_trace", responses={200: shapes.TraceRow, **REFUSALS})
    def get(self, request: Request, environment: str, number: str) -> Response:  # noqa: ARG002
        """What is known of a trace."""
        return Response(shapes.TraceRow(the_trace(environment, number)).data)

    @extend_schema(
        operation_id="remove_trace", parameters=[IDEMPOTENCY_KEY], responses={204: None, **REFUSALS}
    )
    def delete(self, request: Request, environment: str, number: str) -> Response:  # noqa: ARG002
        """Forget it, and its file. Reports stay; 409 ``trace_in_use`` while a simulation reads it."""
        services.remove_trace(actor=self.actor, trace=the_trace(environment, number))
        return Response(status=204)
