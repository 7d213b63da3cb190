"""Which traffic is there to simulate under? Brought, looked at, taken away."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from console.forms.simulating import TraceForm
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import next_page
from foundation.http import FieldError, Refused
from foundation.http.pages import page
from simulations import selectors, services

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def traces(request: DeskRequest) -> HttpResponse:
    """The list; and the file that is brought to it, or what is wrong with each of its lines."""
    refused: Refused | None = None
    if request.method == "POST":
        form = TraceForm(request.POST, request.FILES)
        if form.is_valid():
            file = form.cleaned_data["file"]
            name = form.cleaned_data["name"] or (file.name or "")
            try:
                made, new = services.upload_trace(
                    actor=request.desk.user,
                    environment=request.desk.environment,
                    name=name,
                    chunks=file.chunks(),
                )
            except Refused as why:
                refused = why
            else:
                said = (
                    f"{made.name}: {made.requests:,} requests."
                    if new
                    else f"That is {made.name}, already here."
                )
                toasts.say(request, said)
                return redirect("console:traces", request.desk.environment)
        else:
            error = FieldError("/file", "required", "choose a file")
            refused = Refused("invalid_request", "Choose a file.", status=422, errors=[error])
    found = page(
        selectors.traces(request.desk.environment),
        order=("-id",),
        cursor=request.GET.get("cursor"),
        limit=PAGE,
    )
    context = {
        "traces": found.items,
        "examples": selectors.examples(),
        "refused": refused,
        "faults": [(error.pointer.rpartition("/")[2], error.message) for error in refused.errors]
        if refused
        else [],
        "most": settings.HEADWAY_TRACE_MB,
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    status = refused.http_status if refused else 200
    return show(request, "console/simulations/traces.html", "simulations", context, status=status)


@require_POST
@for_operators
def remove(request: DeskRequest, number: int) -> HttpResponse:
    found = selectors.trace(request.desk.environment, number)
    if found is None:
        raise Http404(number)
    try:
        services.remove_trace(actor=request.desk.user, trace=found)
    except Refused as refused:
        toasts.refused(request, refused)
    else:
        toasts.say(request, f"{found.name} is gone. Reports that used it stay.")
    return redirect("console:traces", request.desk.environment)
