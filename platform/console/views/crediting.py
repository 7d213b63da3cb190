"""More of a limit, once, or all of it again: for a tenant that is out of it today."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.forms.asking import CreditForm
from console.views import toasts
from console.views.desk import DeskRequest, for_staff, show
from console.views.listing import next_page
from delivery.overrides import subjects
from foundation.http import Refused
from foundation.http.once import new_token, once
from foundation.http.pages import page
from tenancy.credits import credit_limit
from tenancy.models import LimitCredit

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def credit(request: DeskRequest) -> HttpResponse:
    """What was given, newest first; and giving."""
    environment = request.desk.environment
    limits = {limit.subject: limit for limit in subjects.limits(environment)}
    form = CreditForm(request.POST or None, limits=limits, initial={"limit": request.GET.get("limit", "")})
    notice, status = "", 200
    if request.method == "POST":
        if not request.desk.may_change:
            raise PermissionDenied
        status = 422
    if request.method == "POST" and form.is_valid():
        limit = limits[form.cleaned_data["limit"]]
        try:
            with once(request) as attempt:
                if attempt.earlier is not None:
                    return redirect(attempt.earlier)
                credit_limit(
                    actor=request.desk.user,
                    environment=environment,
                    tenant=limit.tenant,
                    quota=limit.quota,
                    of=limit.of,
                    per=limit.per,
                    amount=form.amount(limit),
                    most=limit.most,
                    reason=form.cleaned_data["reason"],
                )
                attempt.leads_to = reverse("console:credits", args=[environment])
        except Refused as refused:
            notice, status = refused.detail, refused.http_status
        else:
            toasts.say(request, f"{limit.subject}: gateways give it within a second.")
            return redirect(attempt.leads_to)
    rows = LimitCredit.objects.filter(environment=environment)
    found = page(rows, order=("-made_at", "id"), cursor=request.GET.get("cursor"), limit=PAGE)
    context = {
        "credits": found.items,
        "limits": list(limits.values()),
        "form": form,
        "notice": notice,
        "token": new_token(),
        "next": next_page(request, found.next),
    }
    return show(request, "console/overrides/credits.html", "gateways", context, status=status)
