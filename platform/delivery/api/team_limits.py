"""Limits of a team, set over what the policy says, by operators and by its tenant's own administrators."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from delivery import selectors
from delivery.api import shapes
from delivery.api.base import (
    IF_NONE_MATCH,
    OPTIONAL_IF_MATCH,
    DeliveryView,
    require_tenant,
    require_version,
    versioned,
)
from delivery.permissions import divides_for, require_keeper, require_reader
from foundation.http.rest import Idempotent
from policies.api.documents import IDEMPOTENCY_KEY, REFUSALS
from policies.services.teams import set_team_limits
from tenancy import team_limits


class TeamLimits(DeliveryView):
    within: str
    """On whose behalf: a tenant whose administrator asks; empty for the platform's."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Not for staff alone: who may is asked of the team."""
        Idempotent.initial(self, request, *args, **kwargs)
        self.within = divides_for(self.actor, kwargs["tenant"])
        if not self.within and request.method in SAFE_METHODS:
            require_reader(self.actor)
        elif not self.within:
            require_keeper(self.actor, kwargs["environment"])
        self.environment = selectors.environment(kwargs["environment"])

    @extend_schema(
        operation_id="read_team_limits",
        parameters=[IF_NONE_MATCH],
        responses={200: shapes.TeamLimitSet, 304: None, **REFUSALS},
    )
    def get(self, request: Request, environment: str, tenant: str) -> Response | HttpResponse:
        """What was set for one team; an empty list where the policy's own limits hold."""
        require_tenant(self.environment, tenant)
        return versioned(request, told(environment, tenant))

    @extend_schema(
        operation_id="set_team_limits",
        parameters=[OPTIONAL_IF_MATCH, IDEMPOTENCY_KEY],
        request=shapes.NewTeamLimits,
        responses={200: shapes.TeamLimitSet, **REFUSALS},
    )
    def put(self, request: Request, environment: str, tenant: str) -> Response | HttpResponse:
        """Set all limits of one team, within what the policy delegates: `beyond_delegation` otherwise, or
        `limit_above_parent` with the limit that is."""
        asked = shapes.NewTeamLimits(data=request.data)
        asked.is_valid(raise_exception=True)
        require_tenant(self.environment, tenant)
        require_version(request, told(environment, tenant), "Team", tenant)
        amounts = {(one["of"], one["per"]): one["amount"] for one in asked.validated_data["limits"]}
        set_team_limits(
            actor=self.actor, environment=environment, team=tenant, amounts=amounts, within=self.within
        )
        return versioned(request, told(environment, tenant))


def told(environment: str, tenant: str) -> dict[str, Any]:
    held = team_limits.limits_of(environment, tenant)
    limits = [{"of": of, "per": per, "amount": amount} for (of, per), amount in sorted(held.items())]
    return {"environment": environment, "tenant": tenant, "limits": limits}
