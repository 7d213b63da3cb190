"""Screens that span apps: where somebody starts, and what runs."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from console import selectors
from console.views.desk import HtmxRequest, desk_of, signed_in
from foundation.http import Refused
from foundation.http.answers import API, problem_response
from policies.selectors import environments
from tenancy.permissions import may_see_platform


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Staff go to the overview, while there is no policy to the status; a tenant's people to the portal."""
    if not may_see_platform(signed_in(request)):
        return redirect("portal:home")
    known = environments()
    return redirect("console:overview", known[0]) if known else redirect("console:status")


@require_safe
def status(request: HtmxRequest) -> HttpResponse:
    """What runs, as the processes themselves say; the part that changes alone when htmx asks."""
    desk = desk_of(signed_in(request))
    seen = {
        "section": "status",
        "desk": desk,
        "overview": selectors.overview(
            admin_url=settings.HEADWAY_GATEWAY_ADMIN_URL, processes_file=settings.HEADWAY_PROCESSES
        ),
        "gateway_url": settings.HEADWAY_GATEWAY_URL,
    }
    return render(request, "console/_status.html" if request.htmx else "console/status.html", seen)


@require_safe
@login_not_required
def healthz(_request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
def readyz(_request: HttpRequest) -> HttpResponse:
    """The process answers and reaches its database; 503 with the reason when it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as failure:
        return HttpResponse(f"database: {type(failure).__name__}\n", content_type="text/plain", status=503)
    return HttpResponse("ok\n", content_type="text/plain")


def problem(request: HttpRequest, code: int, heading: str, advice: str) -> HttpResponse:
    return render(request, "console/problem.html", {"heading": heading, "advice": advice}, status=code)


@login_not_required
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return problem(
        request,
        403,
        "Not yours to see",
        "Your account has no role for this page. An operator can give you one.",
    )


@login_not_required
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return problem(request, 404, "Nothing here", "There is no page at this address. It may have moved.")


@login_not_required
def broken(request: HttpRequest) -> HttpResponse:
    """What an error of ours looks like: a page, or under /api/ a problem."""
    if request.path.startswith(API):
        return problem_response(
            Refused("internal_error", "That did not work; the reason is in the log.", status=500)
        )
    return problem(
        request, 500, "That did not work", "The console failed to make this page; the reason is in its log."
    )
