"""Environments: which revision each is at, its history, and a folder planned and applied."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coordination.spec import SourceFile
from foundation.http.pages import page
from policies import selectors, services
from policies.api import serializers as shapes
from policies.api.base import PolicyView, listed, page_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.models import Revision


class Environments(PolicyView):
    @extend_schema(
        operation_id="list_environments",
        responses={200: shapes.EnvironmentRow(many=True), **REFUSALS},
    )
    def get(self, request: Request) -> Response:  # noqa: ARG002
        """Every environment and the revision it is at."""
        return Response(
            [
                {"environment": name, "revision": revision_row(selectors.current_revision(name))}
                for name in selectors.environments()
            ]
        )


class Revisions(PolicyView):
    @extend_schema(
        operation_id="list_revisions", parameters=PAGE, responses={200: shapes.RevisionPage, **REFUSALS}
    )
    def get(self, request: Request, environment: str) -> Response:
        """What was ever merged, newest first."""
        found = page(selectors.revisions(environment), order=("-number",), **page_of(request))
        return Response(listed(found, shapes.RevisionRow(found.items, many=True).data))


class PlanFolder(PolicyView):
    @extend_schema(
        operation_id="plan",
        request=shapes.PlanRequest,
        responses={200: shapes.PlanAnswer, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """What it takes to have the files' documents current, and whether that holds together."""
        asked = shapes.PlanRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        planned = services.plan(actor=self.actor, environment=environment, **folder(asked.validated_data))
        return Response(planned.as_json())


class ApplyFolder(PolicyView):
    @extend_schema(
        operation_id="apply",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.ApplyRequest,
        responses={200: shapes.Merged, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """Do what the plan of this digest said; refused with 409 ``base_moved`` if it differs now."""
        asked = shapes.ApplyRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        revision = services.apply(
            actor=self.actor,
            environment=environment,
            plan_digest=given["plan_digest"],
            reason=given["reason"],
            **folder(given),
        )
        return Response({"revision": revision_row(revision)})


def folder(given: dict[str, Any]) -> dict[str, Any]:
    """The files as the planner takes them."""
    files = [
        SourceFile(file["name"], file["text"].encode("utf-8", "surrogatepass")) for file in given["files"]
    ]
    return {"files": files, "prune": given["prune"]}


def revision_row(revision: Revision | None) -> dict[str, Any] | None:
    return None if revision is None else dict(shapes.RevisionRow(revision).data)
