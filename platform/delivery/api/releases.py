"""Releases of an environment: listed, looked into, made, taken back."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from delivery import releases, selectors
from delivery.api import shapes
from delivery.api.base import IF_NONE_MATCH, DeliveryView, versioned
from delivery.models import Release
from delivery.selectors import Seen
from foundation.http.pages import page
from policies.api.base import listed, page_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS


class Releases(DeliveryView):
    @extend_schema(
        operation_id="list_releases", parameters=PAGE, responses={200: shapes.ReleasePage, **REFUSALS}
    )
    def get(self, request: Request, environment: str) -> Response:
        """Every release, newest first."""
        found = page(selectors.releases(environment), order=("-version",), **page_of(request))
        return Response(listed(found, shapes.ReleaseRow(found.items, many=True).data))

    @extend_schema(
        operation_id="publish",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewRelease,
        responses={201: shapes.ReleaseDetail, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:  # noqa: ARG002
        """Release a bundle to every ring."""
        asked = shapes.NewRelease(data=request.data)
        asked.is_valid(raise_exception=True)
        made = releases.publish(actor=self.actor, environment=self.environment, **asked.validated_data)
        return created(made)


class OneRelease(DeliveryView):
    @extend_schema(
        operation_id="read_release",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.ReleaseDetail, 304: None, **REFUSALS},
    )
    def get(self, request: Request, environment: str, version: str) -> Response | HttpResponse:
        """A release, its stages, and how far each gateway has come."""
        return versioned(request, detail(selectors.release(environment, int(version))))


class Rollback(DeliveryView):
    @extend_schema(
        operation_id="roll_back",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewRollback,
        responses={201: shapes.ReleaseDetail, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:  # noqa: ARG002
        """Release an earlier bundle again, with the directory as it is now."""
        asked = shapes.NewRollback(data=request.data)
        asked.is_valid(raise_exception=True)
        made = releases.rollback(actor=self.actor, environment=self.environment, **asked.validated_data)
        return created(made)


def created(release: Release) -> Response:
    response = Response(detail(release), status=201)
    response["Location"] = f"/api/v1/environments/{release.environment_id}/releases/{release.version}"
    return response


def detail(release: Release) -> dict[str, Any]:
    """As ``ReleaseDetail`` describes it."""
    now = timezone.now()
    members = {ring.pk: gateways for ring, _, gateways in selectors.by_ring(release.environment_id, now)}
    stages = [
        {
            "position": stage.position,
            "ring": stage.ring.name,
            "state": stage.state,
            "note": stage.note,
            "ended_at": stage.ended_at,
            "gateways": [_progress(seen, release.bundle) for seen in members.get(stage.ring_id, ())],
        }
        for stage in selectors.stages(release)
    ]
    return {**shapes.ReleaseRow(release).data, "stages": shapes.StageRow(stages, many=True).data}


def _progress(seen: Seen, bundle: str) -> dict[str, Any]:
    state = seen.state
    about_this = state is not None and state.attempted == bundle
    return {
        "id": seen.gateway.id,
        "name": seen.gateway.name,
        "state": state.state if state else "unknown",
        "applied": state is not None and state.applied == bundle,
        "attempted": about_this,
        "error": state.error if state and about_this and state.error_code else None,
    }
