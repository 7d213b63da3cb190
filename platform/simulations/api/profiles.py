"""Profiles of replicas: sent as ``headway calibrate`` wrote them, listed, read, taken away."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.http.pages import page
from policies.api.base import listed, page_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from simulations import selectors, services
from simulations.api import shapes
from simulations.api.base import SimulationView, Unread, pieces, require_body, the_profile

BODIES = ("application/json", "application/octet-stream")


class Profiles(SimulationView):
    parser_classes = (Unread,)

    @extend_schema(
        operation_id="list_profiles", parameters=PAGE, responses={200: shapes.ProfilePage, **REFUSALS}
    )
    def get(self, request: Request, environment: str) -> Response:
        """Profiles that are kept, newest first; those the simulator knows by itself are not among them."""
        found = page(selectors.profiles(environment), order=("-id",), **page_of(request))
        return Response(listed(found, shapes.ProfileRow(found.items, many=True).data))

    @extend_schema(
        operation_id="upload_profile",
        request=dict.fromkeys(BODIES, OpenApiTypes.BINARY),
        responses={200: shapes.ProfileDetail, 201: shapes.ProfileDetail, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """Keep the body, a file that `headway calibrate -o FILE` writes, as a profile.

        422 ``unreadable_profile`` tells what is wrong at each field. The same profile again is the one that
        is there (200), so a repeat needs no Idempotency-Key.
        """
        require_body(request, BODIES)
        profile, made = services.upload_profile(
            actor=self.actor, environment=environment, chunks=pieces(request)
        )
        response = Response(shapes.ProfileDetail(profile).data, status=201 if made else 200)
        response["Location"] = f"/api/v1/environments/{environment}/profiles/{profile.pk}"
        return response

    def claims(self, request: Request) -> bool:  # noqa: ARG002
        return False


class OneProfile(SimulationView):
    @extend_schema(operation_id="read_profile", responses={200: shapes.ProfileDetail, **REFUSALS})
    def get(self, request: Request, environment: str, number: str) -> Response:  # noqa: ARG002
        """A profile, and what its file says of how it was fitted."""
        return Response(shapes.ProfileDetail(the_profile(environment, number)).data)

    @extend_schema(
        operation_id="remove_profile", parameters=[IDEMPOTENCY_KEY], responses={204: None, **REFUSALS}
    )
    def delete(self, request: Request, environment: str, number: str) -> Response:  # noqa: ARG002
        """Forget it, and its file. Reports stay; 409 ``profile_in_use`` while a simulation is made of it."""
        services.remove_profile(actor=self.actor, profile=the_profile(environment, number))
        return Response(status=204)
