"""The gateways of an environment: what each runs, letting a new one join, and retiring one."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.forms.asking import EnrolForm
from console.mapping import progress
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from delivery.models import Pointer, TrustRoot
from fleet.models import EnrolmentToken, Gateway, Ring
from fleet.selectors import active_gateways
from fleet.services import issue_enrolment_token, retire_gateway
from foundation.http.once import new_token, once


@require_safe
@for_staff
def gateways(request: DeskRequest) -> HttpResponse:
    environment = request.desk.environment
    pointers = list(Pointer.objects.filter(ring__environment=environment).select_related("ring"))
    known = active_gateways(environment).select_related("state").order_by("ring__position", "name")
    rows = progress.standings(known, pointers, timezone.now())
    context = {
        "rows": rows,
        "tally": progress.tally(rows),
        "rings": list(Ring.objects.filter(environment=environment)),
        "pointers": pointers,
        "tokens": list(
            EnrolmentToken.objects.filter(
                ring__environment=environment, expires_at__gt=timezone.now()
            ).select_related("ring")
        ),
        "form": EnrolForm(),
        "token": new_token(),
    }
    template = "console/gateways/_table.html" if request.htmx else "console/gateways/list.html"
    return show(request, template, "gateways", context)


@require_POST
@never_cache
@for_operators
def enrol(request: DeskRequest) -> HttpResponse:
    """A token that lets gateways join a ring. It is on this page and nowhere else."""
    form = EnrolForm(request.POST)
    ring = Ring.objects.filter(
        environment=request.desk.environment, name=request.POST.get("ring", "0")
    ).first()
    if ring is None:
        raise Http404
    back = reverse("console:gateways", args=[request.desk.environment])
    if not form.is_valid():
        return redirect(back)
    with once(request) as attempt:
        if attempt.earlier is not None:
            return redirect(attempt.earlier)
        secret = issue_enrolment_token(
            actor=request.desk.user, ring=ring, max_uses=form.cleaned_data["gateways"]
        )
        attempt.leads_to = back
    root = TrustRoot.objects.order_by("version").first()
    context = {"secret": secret, "ring": ring, "uses": form.cleaned_data["gateways"], "root": root}
    context["server"] = f"{request.scheme}://{request.get_host()}"
    return show(request, "console/gateways/enrolment.html", "gateways", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def retire(request: DeskRequest, gateway: str) -> HttpResponse:
    """A gateway that is gone for good: its credential stops working, releases no longer wait for it."""
    environment = request.desk.environment
    found = (
        Gateway.objects.filter(ring__environment=environment, pk=gateway, retired_at=None)
        .select_related("ring", "state")
        .first()
    )
    if found is None:
        raise Http404(gateway)
    if request.method == "POST":
        retire_gateway(actor=request.desk.user, gateway=found)
        toasts.say(request, f"Gateway {found.name} is retired.")
        return redirect("console:gateways", environment)
    (row,) = progress.standings([found], Pointer.objects.filter(ring=found.ring), timezone.now())
    context = {"row": row, "others": active_gateways(environment).count() - 1}
    return show(request, "console/gateways/retire.html", "gateways", context)
