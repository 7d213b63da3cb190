"""Environments: which revision each is at, its history, and a folder planned and applied."""

from __future__ import annotations

from typing import Any

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coordination.spec import SourceFile
from foundation.http import FieldError, Malformed, NotFound
from foundation.http.pages import page
from policies import selectors, services
from policies.api import serializers as shapes
from policies.api.base import PolicyView, listed, page_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.mapping import sets
from policies.models import Revision

LONGEST_POSITION = 10


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


class RevisionDocuments(PolicyView):
    @extend_schema(
        operation_id="read_revision", parameters=PAGE, responses={200: shapes.RevisionDocuments, **REFUSALS}
    )
    def get(self, request: Request, environment: str, revision: str) -> Response:
        """Every document of a revision, by kind and name: the policy as it was then.

        The revision is given by number, by digest, or as `current`.
        """
        found = selectors.revision_of(environment, revision)
        if found is None:
            raise NotFound("unknown_revision", f"`{environment}` has no revision `{revision}`.")
        asked = page_of(request)
        start = position_of(asked["cursor"])
        entries = sorted(sets.entries_of(found.root_tree_id), key=lambda entry: (entry.kind, entry.name))
        end = start + asked["limit"]
        digests = [entry.digest for entry in entries[start:end]]
        bodies = {row.digest: bytes(row.body) for row in selectors.documents(digests)}
        return Response(
            {
                "revision": revision_row(found),
                "items": [orjson.loads(bodies[digest]) for digest in digests],
                "next": str(end) if end < len(entries) else None,
            }
        )


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


def position_of(cursor: str | None) -> int:
    """Where a page of a revision begins. It never changes, so a position is as good as a key."""
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < LONGEST_POSITION):
        error = FieldError("/cursor", "malformed", "the `next` of the page before")
        raise Malformed("malformed_query", "That is not a page of this list.", errors=[error])
    return int(cursor)


def revision_row(revision: Revision | None) -> dict[str, Any] | None:
    return None if revision is None else dict(shapes.RevisionRow(revision).data)
