"""Simulations: begun, followed, ended, read, and held against each other."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.http import Conflict, FieldError, Malformed, PreconditionFailed
from foundation.http.pages import page
from foundation.http.versions import expected_version
from policies.api.base import listed, page_of, text_of
from policies.api.change_sets import MATCHES_HEAD, shown
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.api.serializers import ChangeSetDetail
from simulations import selectors, services
from simulations.api import shapes
from simulations.api.base import SimulationView, the_simulation
from simulations.mapping.results import MOST_COMPARED, compared
from simulations.models import State


class Simulations(SimulationView):
    @extend_schema(
        operation_id="list_simulations",
        parameters=[
            OpenApiParameter("state", str, enum=State.values),
            OpenApiParameter("change_set", int),
            *PAGE,
        ],
        responses={200: shapes.SimulationPage, **REFUSALS},
    )
    def get(self, request: Request, environment: str) -> Response:
        """Simulations, newest first, without their results."""
        asked = text_of(request, "change_set")
        if asked and not (asked.isascii() and asked.isdigit() and len(asked) < 19):
            error = FieldError("/change_set", "malformed", "a change set's number")
            raise Malformed("malformed_query", "`change_set` will not do.", errors=[error])
        rows = selectors.simulations(
            environment, state=text_of(request, "state"), change_set=int(asked) if asked else None
        )
        found = page(rows, order=("-id",), **page_of(request))
        return Response(listed(found, shapes.SimulationRow(found.items, many=True).data))

    @extend_schema(
        operation_id="start_simulation",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewSimulation,
        responses={201: shapes.SimulationDetail, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """Have a policy simulated under a trace; with ``against``, two under the same arrivals."""
        asked = shapes.NewSimulation(data=request.data)
        asked.is_valid(raise_exception=True)
        ask = shapes.ask_of(asked.validated_data)
        made = services.start(actor=self.actor, environment=environment, ask=ask)
        response = Response(shapes.SimulationDetail(made).data, status=201)
        response["Location"] = f"/api/v1/environments/{environment}/simulations/{made.pk}"
        return response


class OneSimulation(SimulationView):
    @extend_schema(operation_id="read_simulation", responses={200: shapes.SimulationDetail, **REFUSALS})
    def get(self, request: Request, environment: str, number: str) -> Response:  # noqa: ARG002
        """How far it is, and once it is done its result."""
        return Response(shapes.SimulationDetail(the_simulation(environment, number)).data)


class Cancel(SimulationView):
    @extend_schema(
        operation_id="cancel_simulation",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: shapes.SimulationDetail, **REFUSALS},
    )
    def post(self, request: Request, environment: str, number: str) -> Response:  # noqa: ARG002
        """End it now; 409 ``simulation_ended`` if it has."""
        simulation = the_simulation(environment, number)
        services.cancel(actor=self.actor, simulation=simulation)
        return Response(shapes.SimulationDetail(the_simulation(environment, number)).data)


class Promote(SimulationView):
    @extend_schema(
        operation_id="promote_simulation",
        parameters=[MATCHES_HEAD, IDEMPOTENCY_KEY],
        request=shapes.NewPromotion,
        responses={200: ChangeSetDetail, 201: ChangeSetDetail, **REFUSALS},
    )
    def post(self, request: Request, environment: str, number: str) -> Response:
        """Have a change set set a sweep's number to one of its values, or bring back the revision simulated.

        201 and a new change set; 200 where the change set that was simulated is still open and takes the
        edits, or where all was done before. 409: ``simulation_not_done``, ``not_of_the_policy``,
        ``nothing_to_promote``, ``object_gone``, ``replicas_listed`` (a pool that lists its replicas by
        URL), ``change_set_moved`` (edited since it was simulated: send what you looked at as If-Match).
        """
        asked = shapes.NewPromotion(data=request.data)
        asked.is_valid(raise_exception=True)
        looked_at = ""
        if "If-Match" in request.headers:
            looked_at = expected_version(request._request).version or services.ANY
        simulation = the_simulation(environment, number)
        value = asked.validated_data["value"]
        try:
            promoted = services.promote(
                actor=self.actor, simulation=simulation, value=value, head_digest=looked_at
            )
        except Conflict as conflict:
            if conflict.code != "change_set_moved" or not looked_at:
                raise
            of = conflict.object or {}
            raise PreconditionFailed(
                conflict.code, conflict.detail, kind=of.get("kind", ""), name=of.get("name", "")
            ) from conflict
        return shown(promoted.change_set, status=201 if promoted.made else 200)


class Compare(SimulationView):
    @extend_schema(
        operation_id="compare_simulations",
        parameters=[OpenApiParameter("of", int, many=True, description=f"2 to {MOST_COMPARED}, done.")],
        responses={200: shapes.Compared, **REFUSALS},
    )
    def get(self, request: Request, environment: str) -> Response:
        """The same figures of several simulations, side by side."""
        numbers = request.query_params.getlist("of")
        return Response(compared(environment, numbers).as_json())
