"""Tenants' API keys, programs' tokens, and what this installation's signatures rest on."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.forms.asking import KeyForm, RotateForm, TokenForm
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import next_page
from delivery import trust
from delivery.models import DirectoryVersion, TrustRoot
from foundation.http import Refused
from foundation.http.once import new_token, once
from foundation.http.pages import page
from policies import selectors
from tenancy import credentials
from tenancy.models import ApiKey, ServiceToken

PAGE = 50
ROLES: tuple[Literal["root", "bundle", "pointer"], ...] = ("root", "bundle", "pointer")


@require_safe
@for_staff
def keys(request: DeskRequest) -> HttpResponse:
    environment = request.desk.environment
    tenant = request.GET.get("tenant", "")
    rows = ApiKey.objects.filter(environment=environment)
    if tenant:
        rows = rows.filter(tenant=tenant)
    if not request.GET.get("all"):
        rows = rows.filter(revoked_at=None)
    found = page(rows, order=("tenant", "key_id"), cursor=request.GET.get("cursor"), limit=PAGE)
    tenants = _tenants(environment)
    context = {
        "part": "keys",
        "keys": [(row, _state(row)) for row in found.items],
        "tenants": tenants,
        "tenant": tenant,
        "all": bool(request.GET.get("all")),
        "directory": DirectoryVersion.objects.filter(environment=environment).defer("content").first(),
        "form": KeyForm(None, tenants=tenants),
        "token": new_token(),
        "next": next_page(request, found.next),
    }
    return show(request, "console/settings/keys.html", "settings", context)


def _state(row: ApiKey) -> tuple[str, str]:
    now = timezone.now()
    if row.revoked_at is not None:
        return "bad", "Revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "unknown", "Expired"
    if row.replaced_by_id:
        return "warn", "Being replaced"
    return "ok", "Works"


@require_POST
@never_cache
@for_operators
def create_key(request: DeskRequest) -> HttpResponse:
    """The secret is on the page this makes, and nowhere else ever again."""
    environment = request.desk.environment
    back = reverse("console:keys", args=[environment])
    form = KeyForm(request.POST, tenants=_tenants(environment))
    if not form.is_valid():
        toasts.refused(request, Refused("invalid_key", "Choose a tenant and say what the key is for."))
        return redirect(back)
    days = form.cleaned_data["days"]
    with once(request) as attempt:
        if attempt.earlier is not None:
            return redirect(attempt.earlier)
        made = credentials.create_key(
            actor=request.desk.user,
            environment=environment,
            tenant=form.cleaned_data["tenant"],
            name=form.cleaned_data["name"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        attempt.leads_to = back
    return show(
        request,
        "console/settings/secret.html",
        "settings",
        {"part": "keys", "key": made.row, "secret": made.secret},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@for_operators
def rotate_key(request: DeskRequest, key: str) -> HttpResponse:
    found = _key(request, key)
    form = RotateForm(request.POST or None)
    notice, status = "", 200
    if request.method == "POST" and form.is_valid():
        try:
            with once(request) as attempt:
                if attempt.earlier is not None:
                    return redirect(attempt.earlier)
                made = credentials.rotate_key(actor=request.desk.user, key=found, overlap=form.overlap)
                attempt.leads_to = reverse("console:keys", args=[request.desk.environment])
        except Refused as refused:
            notice, status = refused.detail, refused.http_status
        else:
            context = {"part": "keys", "key": made.row, "secret": made.secret, "replaces": found}
            return show(request, "console/settings/secret.html", "settings", context)
    context = {
        "part": "keys",
        "key": found,
        "form": form,
        "notice": notice,
        "token": new_token(),
        "deed": "rotate",
    }
    return show(request, "console/settings/key.html", "settings", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def revoke_key(request: DeskRequest, key: str) -> HttpResponse:
    found = _key(request, key)
    if request.method == "POST":
        credentials.revoke_key(actor=request.desk.user, key=found)
        toasts.say(request, f"Key {found.key_id} of {found.tenant} is revoked.")
        return redirect("console:keys", request.desk.environment)
    context = {"part": "keys", "key": found, "deed": "revoke"}
    return show(request, "console/settings/key.html", "settings", context)


@require_safe
@for_staff
def trust_page(request: DeskRequest) -> HttpResponse:
    signers: list[tuple[str, int, list[str]]] = []
    problem = ""
    try:
        root = trust.current_root()
        signers = [(role, root.threshold(role), sorted(root.trusted(role))) for role in ROLES]
    except trust.NoTrust as missing:
        problem = str(missing)
    roots = list(TrustRoot.objects.order_by("-version").defer("envelope"))
    context = {"part": "trust", "roots": roots, "signers": signers, "problem": problem}
    return show(request, "console/settings/trust.html", "settings", context)


@require_safe
@for_staff
def tokens(request: DeskRequest) -> HttpResponse:
    """Operators see everybody's, others their own."""
    rows = ServiceToken.objects.select_related("owner")
    if not request.desk.may_change:
        rows = rows.filter(owner=request.desk.user)
    context = {
        "part": "tokens",
        "tokens": list(rows[:200]),
        "now": timezone.now(),
        "form": TokenForm(None, scopes=ServiceToken.Scope.choices),
        "token": new_token(),
    }
    return show(request, "console/settings/tokens.html", "settings", context)


@require_POST
@never_cache
@for_operators
def create_token(request: DeskRequest) -> HttpResponse:
    back = reverse("console:tokens", args=[request.desk.environment])
    form = TokenForm(request.POST, scopes=ServiceToken.Scope.choices)
    if not form.is_valid():
        toasts.refused(request, Refused("invalid_token", "Say what the token is for, and what it may do."))
        return redirect(back)
    with once(request) as attempt:
        if attempt.earlier is not None:
            return redirect(attempt.earlier)
        made = credentials.create_service_token(
            actor=request.desk.user,
            owner=request.desk.user,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            life=timedelta(days=form.cleaned_data["days"]),
        )
        attempt.leads_to = back
    context = {"part": "tokens", "service_token": made.row, "secret": made.secret}
    return show(request, "console/settings/secret.html", "settings", context)


@require_POST
@for_operators
def revoke_token(request: DeskRequest, token: int) -> HttpResponse:
    found = ServiceToken.objects.filter(pk=token).first()
    if found is None:
        raise Http404(token)
    credentials.revoke_service_token(actor=request.desk.user, token=found)
    toasts.say(request, f"Token {found.name} is revoked.")
    return redirect("console:tokens", request.desk.environment)


def _key(request: DeskRequest, key: str) -> ApiKey:
    found = ApiKey.objects.filter(pk=key, environment=request.desk.environment).first()
    if found is None:
        raise Http404(key)
    return found


def _tenants(environment: str) -> list[str]:
    return list(selectors.heads(environment, "Tenant").order_by("name").values_list("name", flat=True)[:2000])
