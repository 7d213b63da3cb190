"""Series for charts, over REST: the same points the live socket brings, and the past before them."""

from __future__ import annotations

import time
from datetime import UTC
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.http import FieldError, Forbidden, Malformed
from ledger.api.query import environment_of
from telemetry.series.history import LONGEST, MOST_POINTS, STEPS, history, step_for
from telemetry.series.tables import FLEET
from tenancy.api.authentication import actor_of
from tenancy.permissions import holds
from tenancy.selectors import STAFF_ROLES

DEFAULT_SPAN = 5 * 60


class SeriesShape(serializers.Serializer[Any]):
    environment = serializers.CharField()
    table = serializers.CharField()
    step = serializers.IntegerField(help_text="Seconds one point stands for.")
    origin = serializers.ChoiceField(
        ["recent", "minutes"],
        help_text="`recent`: seconds, each of the ten before its end. `minutes`: stored.",
    )
    since = serializers.IntegerField(help_text="Milliseconds since 1970.")
    until = serializers.IntegerField(help_text="Exclusive.")
    metrics = serializers.ListField(child=serializers.CharField())
    units = serializers.ListField(child=serializers.CharField())
    times = serializers.ListField(child=serializers.IntegerField(), help_text="End of each point's step, ms.")
    values = serializers.DictField(
        child=serializers.ListField(
            child=serializers.ListField(child=serializers.FloatField(allow_null=True), allow_null=True)
        ),
        help_text="By row: for each time the metrics in their order, or null where the row was not known.",
    )
    next = serializers.CharField(allow_null=True, help_text="`cursor` of the next page.")


class SeriesView(APIView):
    @extend_schema(
        operation_id="read_series",
        parameters=[
            OpenApiParameter("table", str, enum=sorted(FLEET), required=True),
            OpenApiParameter("environment", str, description="May be left out while there is one."),
            OpenApiParameter("since", str, description="Instant, or milliseconds since 1970; 5 min ago."),
            OpenApiParameter("until", str, description="Exclusive; now by default."),
            OpenApiParameter("step", str, description=f"auto, or seconds: 1, {', '.join(map(str, STEPS))}."),
            OpenApiParameter("cursor", str, description="`next` of the page before."),
            OpenApiParameter("limit", int, description=f"Points; 1 to {MOST_POINTS}."),
        ],
        responses={200: SeriesShape},
    )
    def get(self, request: Request) -> Response:
        """One table over a stretch of time, at the finest step that keeps within 600 points."""
        if not holds(actor_of(request), STAFF_ROLES, "read"):
            raise Forbidden("forbidden", "The fleet's series are for the platform's staff.")
        environment, params = environment_of(request.query_params), request.query_params
        table = params.get("table", "")
        if table not in FLEET:
            raise _malformed("table", f"one of {', '.join(sorted(FLEET))}")
        now = time.time()
        until = _instant(params.get("until"), "until", now)
        since = _instant(params.get("since"), "since", until - DEFAULT_SPAN)
        if not 0 <= until - since <= LONGEST:
            raise _malformed("since", "at most 31 days before `until`, and not after it")
        step = _step(params.get("step", "auto")) or step_for(environment, table, since, until)
        begin = _instant(params.get("cursor"), "cursor", since)
        found = history(environment, table, begin, until, step, _limit(params.get("limit")))
        times = [at * 1000 for at, _ in found.points]
        keys = sorted({key for _, rows in found.points for key in rows})
        return Response(
            {
                "environment": environment,
                "table": table,
                "step": found.step,
                "origin": found.origin,
                "since": since * 1000,
                "until": until * 1000,
                "metrics": found.metrics,
                "units": found.units,
                "times": times,
                "values": {key: [rows.get(key) for _, rows in found.points] for key in keys},
                "next": None if found.following is None else str(found.following * 1000),
            }
        )


def _instant(given: str | None, name: str, default: float) -> int:
    """Seconds since 1970."""
    if not given:
        return int(default)
    if given.isascii() and given.isdigit() and len(given) <= 14:
        return int(given) // 1000
    try:
        at = parse_datetime(given)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 1970 < at.year < 9000:
        raise _malformed(name, "an instant such as 2026-11-24T13:00:00Z, or milliseconds since 1970")
    return int(at.astimezone(UTC).timestamp())


def _step(given: str) -> int | None:
    if given in ("", "auto"):
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 7 and int(given) in (1, *STEPS)):
        raise _malformed("step", f"auto, 1 or one of {', '.join(map(str, STEPS))} seconds")
    return int(given)


def _limit(given: str | None) -> int:
    if given is None:
        return MOST_POINTS
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= MOST_POINTS):
        raise _malformed("limit", f"a whole number from 1 to {MOST_POINTS}")
    return int(given)


def _malformed(name: str, wants: str) -> Malformed:
    error = FieldError(f"/{name}", "malformed", wants)
    return Malformed("malformed_query", f"`{name}` will not do: {wants}.", errors=[error])
