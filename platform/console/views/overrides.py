"""Emergency measures on one screen: what is in force, beginning one, agreeing to one, ending one."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.forms.asking import OverrideForm
from console.mapping.overriding import FACTORS, MEASURES, shown
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from delivery.models import Override
from delivery.overrides import services, standing, subjects
from fleet.models import Environment
from foundation.http import Invalid, Refused
from foundation.http.once import new_token, once
from policies import selectors
from tenancy.models import ApiKey, Role

RECENT = 30
APPROVERS = frozenset({Role.OPERATOR.value, Role.APPROVER.value})
SUGGESTED = 500


@require_safe
@for_staff
def overrides(request: DeskRequest) -> HttpResponse:
    """What is in force, what waits for a second person, the fleet with its doors, and what was lately."""
    environment, now = request.desk.environment, standing.now_us()
    approves = bool(request.desk.roles & APPROVERS)
    rows = shown(
        Override.objects.filter(environment=environment).select_related("change_set")[:200],
        now,
        user=request.desk.user,
        approves=approves,
    )
    standing_now = [one for one in rows if one.state in ("in_force", "waiting")]
    by_subject = {(one.row.kind, one.row.subject): one for one in rows if one.state == "in_force"}
    pools = [
        {
            "name": pool,
            "drained": by_subject.get(("drain_pool", pool)),
            "waking": by_subject.get(("wake_pool", pool)),
            "replicas": [(url, by_subject.get(("drain_replica", url))) for url in urls],
        }
        for pool, urls in subjects.replicas(environment).items()
    ]
    context = {
        "standing": standing_now,
        "over": [one for one in rows if one.state in ("ended", "lapsed")][:RECENT],
        "pools": pools,
        "measures": list(MEASURES.values()),
        "cordon": MEASURES["drain_replica"].lasts[-1][0],
        "token": new_token(),
    }
    return show(request, "console/overrides/list.html", "gateways", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def begin(request: DeskRequest, kind: str) -> HttpResponse:
    """What a measure does, and for how long; then the deed."""
    measure = MEASURES.get(kind.replace("-", "_"))
    if measure is None:
        raise Http404(kind)
    environment = request.desk.environment
    initial = {"subject": request.GET.get("subject", ""), "lasts": request.GET.get("lasts") or measure.usual}
    form = OverrideForm(request.POST or None, measure=measure, factors=FACTORS, initial=initial)
    notice, status = "", 200
    if request.method == "POST" and form.is_valid():
        try:
            with once(request) as attempt:
                if attempt.earlier is not None:
                    return redirect(attempt.earlier)
                row = services.begin(
                    actor=request.desk.user,
                    environment=Environment.objects.get(pk=environment),
                    kind=measure.kind,
                    **form.cleaned_data,
                )
                attempt.leads_to = reverse("console:overrides", args=[environment])
        except Refused as refused:
            notice, status = _said(refused), refused.http_status
        else:
            what = f"{measure.title}: {row.subject}" if row.subject else measure.title
            toasts.say(request, f"{what}: {'asked for' if measure.widens else 'in force'}.")
            return redirect(attempt.leads_to)
    elif request.method == "POST":
        status = 422
    context = {
        "measure": measure,
        "form": form,
        "suggested": _suggested(environment, measure.kind),
        "notice": notice,
        "token": new_token(),
    }
    return show(request, "console/overrides/begin.html", "gateways", context, status=status)


@require_POST
@for_staff
def approve(request: DeskRequest, override: str) -> HttpResponse:
    """The second person; whether that is another than the first is for the service to say."""
    if not request.desk.roles & APPROVERS:
        raise PermissionDenied
    return _deed(request, override, services.approve, "in force")


@require_POST
@for_operators
def lift(request: DeskRequest, override: str) -> HttpResponse:
    return _deed(request, override, services.lift, "over")


def _deed(request: DeskRequest, override: str, deed: services.Deed, says: str) -> HttpResponse:
    environment = request.desk.environment
    back = reverse("console:overrides", args=[environment])
    try:
        with once(request) as attempt:
            if attempt.earlier is not None:
                return redirect(attempt.earlier)
            found = standing.override(environment, override)
            deed(
                actor=request.desk.user,
                environment=Environment.objects.get(pk=environment),
                override=found,
            )
            attempt.leads_to = back
    except Refused as refused:
        toasts.refused(request, refused)
    else:
        toasts.say(request, f"{MEASURES[found.kind].title} {found.subject}: {says}.")
    return redirect(back)


def _suggested(environment: str, kind: str) -> list[str]:
    """What a subject may be, for whoever types it."""
    match kind:
        case "block_tenant":
            found = selectors.heads(environment, "Tenant").order_by("name").values_list("name", flat=True)
            return list(found[:SUGGESTED])
        case "block_key":
            keys = ApiKey.objects.filter(environment=environment, revoked_at=None)
            return list(keys.order_by("tenant", "key_id").values_list("key_id", flat=True)[:SUGGESTED])
        case "drain_pool" | "wake_pool":
            return list(subjects.replicas(environment))
        case "drain_replica":
            return [url for urls in subjects.replicas(environment).values() for url in urls][:SUGGESTED]
        case "raise_limit":
            return [limit.subject for limit in subjects.limits(environment)][:SUGGESTED]
        case _:
            return []


def _said(refused: Refused) -> str:
    """The whole of it: a field's mistake is named by its field."""
    errors = refused.errors if isinstance(refused, Invalid) else ()
    more = [f"{error.message}." for error in errors if error.message not in refused.detail]
    return " ".join([refused.detail, *more])
