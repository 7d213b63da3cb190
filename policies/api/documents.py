"""Documents of an environment: listed, read with their version, written against a version."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.http import Conflict, NotFound, PreconditionFailed, Refused
from foundation.http.pages import page
from foundation.http.versions import etag, expected_version, not_modified
from policies import selectors, services
from policies.api import serializers as shapes
from policies.api.base import PolicyView, listed, page_of, text_of
from policies.mapping.documents import as_yaml
from policies.models import Head, Revision

BODY_TYPES = frozenset({"application/json", "application/yaml", "text/yaml", "application/x-yaml"})
PROBLEM = OpenApiResponse(shapes.Problem, description="A refusal (RFC 9457).")
REFUSALS = dict.fromkeys((400, 401, 403, 404, 409, 412, 415, 422, 428), PROBLEM)
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag last seen, or `*`.")
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="`*`: the object must not exist yet."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="Sent again, the request is done once."
)
PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="1 to 1000; 100 by default."),
]


class YamlRenderer(BaseRenderer):
    """A document as text for people; what a view returns is that text already."""

    media_type = "application/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(self, data: Any, media_type: str | None = None, context: Any = None) -> bytes:  # noqa: ARG002
        return str(data).encode()


class YamlForReading(DefaultContentNegotiation):
    """YAML is for reading documents; every other answer is JSON, whatever is accepted."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        if request.method == "GET":
            return super().select_renderer(request, renderers, format_suffix)
        return renderers[0], renderers[0].media_type


class Documents(PolicyView):
    @extend_schema(
        operation_id="list_documents",
        parameters=[
            OpenApiParameter("search", str, description="Part of the name."),
            OpenApiParameter("tenant", str, description="This tenant and all below it."),
            *PAGE,
        ],
        responses={200: shapes.HeadPage, **REFUSALS},
    )
    def get(self, request: Request, environment: str, kind: str) -> Response:
        """Current documents of a kind, by name."""
        rows = selectors.heads(
            environment, kind, search=text_of(request, "search"), tenant=text_of(request, "tenant")
        )
        found = page(rows, order=("name",), **page_of(request))
        return Response(listed(found, shapes.HeadRow(found.items, many=True).data))


class OneDocument(PolicyView):
    renderer_classes = (JSONRenderer, YamlRenderer)
    content_negotiation_class = YamlForReading

    @extend_schema(operation_id="read_document", responses={200: OpenApiTypes.OBJECT, 304: None, **REFUSALS})
    def get(self, request: Request, environment: str, kind: str, name: str) -> Response | HttpResponse:
        """The document, as JSON or (``Accept: application/yaml``) as YAML; its ETag is its digest."""
        head = self._head(environment, kind, name)
        tag = {"ETag": etag(head.document_id), "Vary": "Accept"}
        if not_modified(request._request, head.document_id):
            return HttpResponse(status=304, headers=tag)
        if request.accepted_renderer.format == "yaml":
            return Response(as_yaml(head.document), headers=tag)
        return HttpResponse(bytes(head.document.body), content_type="application/json", headers=tag)

    @extend_schema(
        operation_id="write_document",
        parameters=[IF_MATCH, IF_NONE_MATCH, IDEMPOTENCY_KEY],
        request=dict.fromkeys(("application/json", "application/yaml"), OpenApiTypes.OBJECT),
        responses={200: shapes.Saved, 201: shapes.Saved, **REFUSALS},
    )
    def put(self, request: Request, environment: str, kind: str, name: str) -> Response:
        """Write the document at once, as a change set of one operation. JSON or YAML."""
        if request.content_type.partition(";")[0].strip().lower() not in BODY_TYPES:
            raise Refused("unsupported_media_type", "Send JSON or YAML.", status=415)
        base = self._base(request, environment, kind, name)
        revision = self._save(request, environment, kind, name, bytes(request._request.body), base)
        saved = self._head(environment, kind, name)
        response = self._saved(revision, saved.document_id, status=200 if base else 201)
        response["ETag"] = etag(saved.document_id)
        return response

    @extend_schema(
        operation_id="delete_document",
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        responses={200: shapes.Saved, **REFUSALS},
    )
    def delete(self, request: Request, environment: str, kind: str, name: str) -> Response:
        """Delete the document at once, as a change set of one operation."""
        base = self._base(request, environment, kind, name)
        if base is None:
            raise Conflict("nothing_to_delete", "What must not exist cannot be deleted: send If-Match.")
        return self._saved(self._save(request, environment, kind, name, None, base), None, status=200)

    def _head(self, environment: str, kind: str, name: str) -> Head:
        head = selectors.head(environment, kind, name)
        if head is None:
            raise NotFound("not_found", f"`{environment}` has no {kind} `{name}`.", kind=kind, name=name)
        return head

    def _base(self, request: Request, environment: str, kind: str, name: str) -> str | None:
        """The digest the caller means to change."""
        expected = expected_version(request._request)
        return self._head(environment, kind, name).document_id if expected.any_version else expected.version

    def _save(
        self,
        _request: Request,
        environment: str,
        kind: str,
        name: str,
        body: bytes | None,
        base: str | None,
    ) -> Revision:
        try:
            return services.save_document(
                actor=self.actor, environment=environment, kind=kind, name=name, body=body, base_digest=base
            )
        except Conflict as conflict:
            if conflict.code != "stale_edit":
                raise
            # The base came as a precondition of the request, and that is what failed (RFC 9110).
            raise PreconditionFailed(
                conflict.code, conflict.detail, kind=kind, name=name, extra=conflict.extra
            ) from conflict

    def _saved(self, revision: Revision, digest: str | None, *, status: int) -> Response:
        return Response({"digest": digest, "revision": shapes.RevisionRow(revision).data}, status=status)
