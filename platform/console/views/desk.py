"""Who is asking, for which environment, and what may they do? Every operator's view begins here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

from console.mapping import kinds
from policies.selectors import environments
from tenancy.models import Role, User
from tenancy.selectors import STAFF_ROLES, roles

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Desk:
    """What every page of the platform's staff knows."""

    user: User
    environment: str
    environments: tuple[str, ...]
    roles: frozenset[str]

    @property
    def may_change(self) -> bool:
        """Operators change things; approvers and viewers look."""
        return Role.OPERATOR.value in self.roles

    @property
    def kinds(self) -> tuple[kinds.Kind, ...]:
        return kinds.ALL


class HtmxRequest(HttpRequest):
    """A request as the htmx middleware leaves it."""

    htmx: HtmxDetails


class DeskRequest(HtmxRequest):
    """A request of somebody of the platform's staff, for an environment that exists."""

    desk: Desk


View = Callable[Concatenate[DeskRequest, P], HttpResponse]
Outer = Callable[Concatenate[HttpRequest, str, P], HttpResponse]


def signed_in(request: HttpRequest) -> User:
    """The person behind ``request``; LoginRequiredMiddleware has turned everybody else away."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def desk_of(user: User, environment: str | None = None) -> Desk:
    """The desk of a staff member, at the first environment unless one is named. 404 if there is none such."""
    held = roles(user)
    if not held & STAFF_ROLES:
        raise PermissionDenied
    known = tuple(environments())
    if environment is not None and environment not in known:
        raise Http404(environment)
    return Desk(user, environment if environment is not None else next(iter(known), ""), known, held)


def for_staff(view: View[P]) -> Outer[P]:
    """A page for operators, approvers and viewers. The first argument of its address is the environment."""
    return _guard(view, change=False)


def for_operators(view: View[P]) -> Outer[P]:
    """A page or deed that takes the operator's role."""
    return _guard(view, change=True)


def _guard(view: View[P], *, change: bool) -> Outer[P]:
    @functools.wraps(view)
    def guarded(request: HttpRequest, environment: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        desk = desk_of(signed_in(request), environment)
        if change and not desk.may_change:
            raise PermissionDenied
        request.desk = desk  # type: ignore[attr-defined] # DeskRequest is the name of what this makes
        return view(request, *args, **kwargs)  # type: ignore[arg-type]

    return cast(Outer[P], guarded)


def show(
    request: DeskRequest, template: str, section: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page with what every page needs."""
    common = {"desk": request.desk, "section": section, "gateway_url": settings.HEADWAY_GATEWAY_URL}
    return render(request, template, {**common, **context}, status=status)
