"""A tenant's API keys: made and shown once, replaced with an overlap, revoked at once."""

from __future__ import annotations

from datetime import timedelta

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from foundation.http import Refused
from foundation.http.once import new_token, once
from portal import services
from portal.forms import SCOPES, KeyForm, RotateForm
from portal.selectors import keys as selectors
from portal.views.desk import DeskRequest, for_administrators, for_members, page_of, say, show
from tenancy.models import ApiKey


@require_safe
@for_members
def keys(request: DeskRequest) -> HttpResponse:
    return listed(request, KeyForm(None, teams=request.desk.contract.keyed))


def listed(request: DeskRequest, form: KeyForm, *, status: int = 200) -> HttpResponse:
    desk = request.desk
    everything = bool(request.GET.get("all"))
    rows = selectors.keys(desk.environment, desk.tenant)
    if not everything:
        rows = rows.filter(revoked_at=None)
    found = page_of(request, rows, "-created_at", "key_id")
    used = selectors.last_used(desk.environment, desk.tenant)
    query = request.GET.copy()
    query["cursor"] = found.next or ""
    context = {
        "keys": [(row, state_of(row), used.get(row.key_id)) for row in found.items],
        "all": everything,
        "form": form,
        "scopes": SCOPES,
        "token": new_token(),
        "next": query.urlencode() if found.next else "",
        "paged": "cursor" in request.GET,
    }
    return show(request, "portal/keys.html", "keys", context, status=status)


def state_of(row: ApiKey) -> tuple[str, str]:
    if row.revoked_at is not None:
        return "bad", "Revoked"
    if row.expires_at is not None and row.expires_at <= timezone.now():
        return "unknown", "Expired"
    if row.replaced_by_id:
        return "warn", "Being replaced"
    return "ok", "Works"


@require_POST
@for_administrators
def create(request: DeskRequest) -> HttpResponse:
    """The secret is on the page this makes, and nowhere else ever again."""
    desk = request.desk
    form = KeyForm(request.POST, teams=desk.contract.keyed)
    if not form.is_valid():
        return listed(request, form, status=422)
    asked = form.cleaned_data
    try:
        with once(request) as attempt:
            if attempt.earlier is not None:
                return redirect(attempt.earlier)
            made = services.create_key(
                actor=desk.user,
                place=desk.place,
                team=asked["team"],
                name=asked["name"],
                scopes=asked["scopes"],
                expires_at=timezone.now() + timedelta(days=asked["days"]) if asked["days"] else None,
            )
            attempt.leads_to = reverse("portal:keys", args=[desk.environment, desk.tenant])
    except Refused as refused:
        form.add_error(None, refused.detail)
        return listed(request, form, status=refused.http_status)
    return show(request, "portal/secret.html", "keys", {"key": made.row, "secret": made.secret})


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def rotate(request: DeskRequest, key: str) -> HttpResponse:
    desk, found = request.desk, _key(request, key)
    form = RotateForm(request.POST or None)
    notice, status = "", 200
    if request.method == "POST" and form.is_valid():
        try:
            with once(request) as attempt:
                if attempt.earlier is not None:
                    return redirect(attempt.earlier)
                made = services.rotate_key(
                    actor=desk.user, place=desk.place, key_id=found.key_id, overlap=form.overlap
                )
                attempt.leads_to = reverse("portal:keys", args=[desk.environment, desk.tenant])
        except Refused as refused:
            notice, status = refused.detail, refused.http_status
        else:
            context = {
                "key": made.row,
                "secret": made.secret,
                "replaces": found,
                "hours": form.cleaned_data["hours"],
            }
            return show(request, "portal/secret.html", "keys", context)
    context = {"key": found, "form": form, "notice": notice, "token": new_token(), "deed": "rotate"}
    return show(request, "portal/key.html", "keys", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def revoke(request: DeskRequest, key: str) -> HttpResponse:
    desk, found = request.desk, _key(request, key)
    if request.method == "POST":
        services.revoke_key(actor=desk.user, place=desk.place, key_id=found.key_id)
        say(request, f"Key {found.key_id} is revoked.")
        return redirect("portal:keys", desk.environment, desk.tenant)
    used = selectors.last_used(desk.environment, desk.tenant).get(found.key_id)
    return show(request, "portal/key.html", "keys", {"key": found, "deed": "revoke", "used": used})


def _key(request: DeskRequest, key: str) -> ApiKey:
    found = selectors.key(request.desk.environment, request.desk.tenant, key)
    if found is None:
        raise Http404
    return found
