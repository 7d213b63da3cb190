"""Who is asking, for which of their tenants, and what may they do there? Every view begins here."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django_htmx.middleware import HtmxDetails

from foundation.http import Malformed
from foundation.http.pages import Page, page
from portal.permissions import ADMINISTRATORS, roles_in
from portal.selectors.contract import Contract, look
from portal.services import Place
from tenancy.models import User
from tenancy.selectors import tenant_roles

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
PAGE = 50


@dataclass(frozen=True, slots=True)
class Desk:
    """What every page of a tenant's people knows."""

    user: User
    place: Place
    may_change: bool
    places: tuple[tuple[str, str], ...]
    """(environment, tenant) of everything the reader may open from here."""

    @property
    def environment(self) -> str:
        return self.place.environment

    @property
    def tenant(self) -> str:
        return self.place.tenant

    @property
    def contract(self) -> Contract:
        return self.place.contract


class DeskRequest(HttpRequest):
    """A request of one of a tenant's people, for a tenant of theirs that exists."""

    desk: Desk
    htmx: HtmxDetails


View = Callable[Concatenate[DeskRequest, P], HttpResponse]
Outer = Callable[..., HttpResponse]


def signed_in(request: HttpRequest) -> User:
    """The person behind ``request``; LoginRequiredMiddleware has turned everybody else away."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def for_members(view: View[P]) -> Outer:
    """A page for everybody of the tenant. Its address says environment and tenant."""
    return _guard(view, change=False)


def for_administrators(view: View[P]) -> Outer:
    """A page or deed that takes a tenant's administrator."""
    return _guard(view, change=True)


def _guard(view: View[P], *, change: bool) -> Outer:
    @functools.wraps(view)
    def guarded(
        request: HttpRequest, environment: str, tenant: str, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        user = signed_in(request)
        memberships = tenant_roles(user)
        roles = roles_in(memberships, tenant)
        found = look(memberships, environment, tenant) if roles else None
        if found is None or found.contract is None:
            raise Http404  # somebody else's and nobody's read the same
        may_change = bool(roles & ADMINISTRATORS)
        if change and not may_change:
            raise PermissionDenied
        request.desk = Desk(  # type: ignore[attr-defined] # DeskRequest is the name of what this makes
            user, Place(environment, found.contract), may_change, found.places
        )
        answer = view(cast(DeskRequest, request), *args, **kwargs)
        # No copy of a tenant's figures stays in a browser after signing out, nor anywhere on the way.
        add_never_cache_headers(answer)
        return answer

    return guarded


def show(
    request: DeskRequest, template: str, section: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page with what every page needs."""
    common = {"desk": request.desk, "section": section, "base_url": f"{settings.HEADWAY_GATEWAY_URL}/v1"}
    return render(request, template, {**common, **context}, status=status)


def page_of(request: HttpRequest, rows: QuerySet[M], *order: str) -> Page[M]:
    """The page of a list that the address asks for; an address nobody was given leads nowhere."""
    try:
        return page(rows, order=order, cursor=request.GET.get("cursor"), limit=PAGE)
    except Malformed:
        raise Http404 from None


def say(request: HttpRequest, says: str, *, bad: bool = False) -> None:
    """Tell the person, on the next page they see."""
    (messages.error if bad else messages.success)(request, json.dumps({"says": says}))
