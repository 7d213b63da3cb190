"""What were replicas measured to be? Profiles that ``headway calibrate`` wrote: brought, read, taken away."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.forms.simulating import ProfileForm
from console.mapping import profiled
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import next_page
from coordination.capacity import PROFILES
from coordination.capacity.profile_file import LARGEST
from foundation.http import FieldError, Refused
from foundation.http.pages import page
from simulations import selectors, services

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def profiles(request: DeskRequest) -> HttpResponse:
    """The list; and the file that is brought to it, or what is wrong with each of its fields."""
    environment = request.desk.environment
    refused: Refused | None = None
    if request.method == "POST":
        form = ProfileForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                made, new = services.upload_profile(
                    actor=request.desk.user,
                    environment=environment,
                    chunks=form.cleaned_data["file"].chunks(),
                )
            except Refused as why:
                refused = why
            else:
                toasts.say(request, f"{made.name} is kept." if new else f"That is {made.name}, already here.")
                return redirect("console:profile", environment, made.pk)
        else:
            error = FieldError("/file", "required", "choose a file")
            refused = Refused("invalid_request", "Choose a file.", status=422, errors=[error])
    found = page(
        selectors.profiles(environment), order=("-id",), cursor=request.GET.get("cursor"), limit=PAGE
    )
    context = {
        "profiles": found.items,
        "known": list(PROFILES.values()),
        "refused": refused,
        "faults": [(profiled.field_of(error.pointer), error.message) for error in refused.errors]
        if refused
        else [],
        "most": LARGEST // 1024,
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    status = refused.http_status if refused else 200
    return show(request, "console/simulations/profiles.html", "simulations", context, status=status)


@require_safe
@for_staff
def profile(request: DeskRequest, number: int) -> HttpResponse:
    """How fast such a replica is, how well that fits what was measured, and what a Pool would say."""
    found = selectors.profile(request.desk.environment, number)
    if found is None:
        raise Http404(number)
    context = {"profile": found, "shown": profiled.shown(bytes(found.body))}
    return show(request, "console/simulations/profile.html", "simulations", context)


@require_POST
@for_operators
def remove(request: DeskRequest, number: int) -> HttpResponse:
    found = selectors.profile(request.desk.environment, number)
    if found is None:
        raise Http404(number)
    try:
        services.remove_profile(actor=request.desk.user, profile=found)
    except Refused as refused:
        toasts.refused(request, refused)
    else:
        toasts.say(request, f"{found.name} is gone. Reports that used it stay.")
    return redirect("console:profiles", request.desk.environment)
