"""Change sets: opened, filled operation by operation, looked at, merged or given up."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coordination.diagnostics import has_errors
from foundation.http import NotFound, PreconditionFailed
from foundation.http.pages import page
from foundation.http.versions import etag, expected_version
from policies import selectors, services
from policies.api import serializers as shapes
from policies.api.base import PolicyView, listed, page_of, text_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.mapping import findings
from policies.models import ChangeSet

LARGEST_ID = 2**63 - 1
MATCHES_HEAD = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="Head digest that was looked at; optional."
)


def the_change_set(number: int) -> ChangeSet:
    found = selectors.change_set(number) if number <= LARGEST_ID else None
    if found is None:
        raise NotFound("not_found", f"There is no change set {number}.", kind="ChangeSet", name=str(number))
    return found


class ChangeSets(PolicyView):
    @extend_schema(
        operation_id="list_change_sets",
        parameters=[
            OpenApiParameter("environment", str),
            OpenApiParameter("state", str, enum=ChangeSet.State.values),
            *PAGE,
        ],
        responses={200: shapes.ChangeSetPage, **REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Proposals, newest first."""
        rows = selectors.change_sets(text_of(request, "environment"), text_of(request, "state"))
        found = page(rows, order=("-id",), **page_of(request))
        return Response(listed(found, shapes.ChangeSetRow(found.items, many=True).data))

    @extend_schema(
        operation_id="open_change_set",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewChangeSet,
        responses={201: shapes.ChangeSetDetail, **REFUSALS},
    )
    def post(self, request: Request) -> Response:
        """Open an empty proposal against what is current now."""
        asked = shapes.NewChangeSet(data=request.data)
        asked.is_valid(raise_exception=True)
        opened = services.open_change_set(actor=self.actor, **asked.validated_data)
        return shown(opened, status=201)


class OneChangeSet(PolicyView):
    @extend_schema(operation_id="read_change_set", responses={200: shapes.ChangeSetDetail, **REFUSALS})
    def get(self, request: Request, number: int) -> Response:  # noqa: ARG002
        """A proposal with its operations; its ETag is its head digest."""
        return shown(the_change_set(number))


class Operations(PolicyView):
    @extend_schema(
        operation_id="put_operation",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewOperation,
        responses={200: shapes.ChangeSetDetail, **REFUSALS},
    )
    def post(self, request: Request, number: int) -> Response:
        """Have the proposal write or delete an object, in place of what it did with it before."""
        asked = shapes.NewOperation(data=request.data)
        asked.is_valid(raise_exception=True)
        change_set, given = the_change_set(number), asked.validated_data
        services.put_operation(
            actor=self.actor,
            change_set=change_set,
            kind=given["kind"],
            name=given["name"],
            body=given["document"],
            base_digest=given["base_digest"],
        )
        return shown(change_set)


class OneOperation(PolicyView):
    @extend_schema(
        operation_id="drop_operation",
        parameters=[IDEMPOTENCY_KEY],
        responses={200: shapes.ChangeSetDetail, **REFUSALS},
    )
    def delete(self, request: Request, number: int, kind: str, name: str) -> Response:  # noqa: ARG002
        """Have the proposal leave an object alone."""
        change_set = the_change_set(number)
        services.drop_operation(actor=self.actor, change_set=change_set, kind=kind, name=name)
        return shown(change_set)


class Diagnostics(PolicyView):
    @extend_schema(operation_id="check_change_set", responses={200: shapes.Diagnostics, **REFUSALS})
    def get(self, request: Request, number: int) -> Response:  # noqa: ARG002
        """What the compiler says of the policy with the proposal in it, as things stand now."""
        found = services.validate(the_change_set(number))
        return Response({"ok": not has_errors(found), "diagnostics": findings.as_json(found)})


class Checks(PolicyView):
    @extend_schema(operation_id="list_checks", responses={200: shapes.Checks, **REFUSALS})
    def get(self, request: Request, number: int) -> Response:  # noqa: ARG002
        """What was found out about the proposal as it is now."""
        rows = selectors.checks(the_change_set(number))
        return Response({"items": shapes.CheckRow(rows, many=True).data})

    @extend_schema(
        operation_id="report_check",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewCheck,
        responses={200: shapes.CheckRow, **REFUSALS},
    )
    def post(self, request: Request, number: int) -> Response:
        """Say what was found out, in place of what this check said of the same operations before."""
        asked = shapes.NewCheck(data=request.data)
        asked.is_valid(raise_exception=True)
        change_set = the_change_set(number)
        check = services.report_check(actor=self.actor, change_set=change_set, **asked.validated_data)
        return Response(shapes.CheckRow(check).data)


class Merge(PolicyView):
    @extend_schema(
        operation_id="merge_change_set",
        parameters=[MATCHES_HEAD, IDEMPOTENCY_KEY],
        request=None,
        responses={200: shapes.Merged, **REFUSALS},
    )
    def post(self, request: Request, number: int) -> Response:
        """Make the proposal current. With If-Match, only if it still is what was looked at."""
        change_set = the_change_set(number)
        if "If-Match" in request.headers:
            expected = expected_version(request._request)
            if not expected.any_version and expected.version != change_set.head_digest:
                raise PreconditionFailed(
                    "change_set_moved",
                    f"Change set {number} was edited since.",
                    kind="ChangeSet",
                    name=str(number),
                )
        revision = services.merge(actor=self.actor, change_set=change_set)
        return Response({"revision": shapes.RevisionRow(revision).data})


class Close(PolicyView):
    @extend_schema(
        operation_id="close_change_set",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: shapes.ChangeSetDetail, **REFUSALS},
    )
    def post(self, request: Request, number: int) -> Response:  # noqa: ARG002
        """Give the proposal up."""
        change_set = the_change_set(number)
        services.close_change_set(actor=self.actor, change_set=change_set)
        return shown(change_set)


def shown(change_set: ChangeSet, *, status: int = 200) -> Response:
    response = Response(shapes.ChangeSetDetail(change_set).data, status=status)
    response["ETag"] = etag(change_set.head_digest)
    if status == 201:
        response["Location"] = f"/api/v1/change-sets/{change_set.pk}"
    return response
