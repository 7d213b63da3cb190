"""More of a limit, once, for operators: in force at the gateways at once, with no build."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coordination.spec.quantities import Money
from delivery.api import shapes
from delivery.api.base import DeliveryView
from delivery.permissions import require_keeper
from fleet.models import Environment
from foundation.http import FieldError, Invalid
from foundation.http.pages import page
from policies import selectors as policy
from policies.api.base import listed, page_of, text_of
from policies.api.documents import IDEMPOTENCY_KEY, PAGE, REFUSALS
from policies.mapping import documents
from tenancy.credits import credit_limit
from tenancy.models import LimitCredit


class Credits(DeliveryView):
    require_changer = staticmethod(require_keeper)

    @extend_schema(
        operation_id="list_credits",
        parameters=[OpenApiParameter("tenant", str, description="This tenant's only."), *PAGE],
        responses={200: shapes.CreditPage, **REFUSALS},
    )
    def get(self, request: Request, environment: str) -> Response:
        """What was credited and reset, newest first."""
        rows = LimitCredit.objects.filter(environment=environment)
        if tenant := text_of(request, "tenant"):
            rows = rows.filter(tenant=tenant)
        found = page(rows, order=("-made_at", "id"), **page_of(request))
        return Response(listed(found, shapes.CreditRow(found.items, many=True).data))

    @extend_schema(
        operation_id="credit_limit",
        parameters=[IDEMPOTENCY_KEY],
        request=shapes.NewCredit,
        responses={201: shapes.CreditRow, **REFUSALS},
    )
    def post(self, request: Request, environment: str) -> Response:
        """More of a limit for the period at hand, or all of it again. Each gateway carries it out once."""
        asked = shapes.NewCredit(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        tenant, most = limit_of(self.environment, wanted["quota"], wanted["of"], wanted["per"])
        row = credit_limit(actor=self.actor, environment=environment, tenant=tenant, most=most, **wanted)
        return Response(shapes.CreditRow(row).data, status=201)


def limit_of(environment: Environment, quota: str, of: str, per: str) -> tuple[str, int]:
    """Whose limit it is, and how much, in the policy as it stands. ``Invalid`` (``unknown_limit``)."""
    found = policy.head(environment.name, "Quota", quota)
    document = None if found is None else documents.parse([found.document_id])[0].get(found.document_id)
    spec: Any = None if document is None else document.spec
    for limit in () if spec is None else spec.limits:
        if (limit.of, limit.per) == (of, per):
            return spec.tenant, limit.limit.nano if isinstance(limit.limit, Money) else limit.limit
    said = f"quota `{quota}` limits no {of.replace('_', ' ')} per {per}"
    if document is None:
        said = f"`{environment.name}` has no quota of that name"
    raise Invalid(
        "unknown_limit",
        f"There is no such limit: {said}.",
        errors=[FieldError("/quota", "unknown_limit", said)],
    )
