"""What was released, how far it is at each gateway, and taking it back."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from console.mapping import comparing, kinds, progress
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import next_page
from delivery.models import Pointer, Release
from delivery.releases import rollback
from fleet.models import Environment
from fleet.selectors import active_gateways
from foundation.http import Refused
from foundation.http.once import new_token, once
from foundation.http.pages import page
from policies import selectors
from policies.models import Build

PAGE = 30
MOST_CHANGES = 100


@require_safe
@for_staff
def listing(request: DeskRequest) -> HttpResponse:
    rows = Release.objects.filter(environment=request.desk.environment)
    found = page(rows, order=("-version",), cursor=request.GET.get("cursor"), limit=PAGE)
    pointers = Pointer.objects.filter(ring__environment=request.desk.environment)
    context = {
        "releases": [(release, progress.state_of(release)) for release in found.items],
        "current": pointers.values_list("bundle", flat=True).first() or "",
        "newest": _newest(request),
        "next": next_page(request, found.next),
    }
    return show(request, "console/releases/list.html", "releases", context)


@require_safe
@for_staff
def release(request: DeskRequest, version: int) -> HttpResponse:
    """One release; htmx asks for the part that moves while it runs."""
    shown = _release(request, version)
    context = _context(request, shown)
    template = "console/releases/_progress.html" if request.htmx else "console/releases/release.html"
    if not request.htmx:
        before = (
            Release.objects.filter(environment=shown.environment_id, version__lt=version)
            .exclude(bundle=shown.bundle)
            .first()
        )
        context |= _changes(before.bundle if before else "", shown.bundle)
    return show(request, template, "releases", context)


def _context(request: DeskRequest, shown: Release) -> dict[str, Any]:
    environment = request.desk.environment
    newest = _newest(request)
    gateways = active_gateways(environment).select_related("state").order_by("ring__position", "name")
    rows = progress.standings(gateways, [], timezone.now(), wanted=shown.bundle)
    stages = list(shown.stages.select_related("ring"))
    return {
        "release": shown,
        "state": progress.state_of(shown),
        "is_newest": newest is not None and newest.version == shown.version,
        "newest": newest,
        "stages": [
            (stage, [row for row in rows if row.gateway.ring_id == stage.ring_id]) for stage in stages
        ],
        "rows": rows,
        "tally": progress.tally(rows),
        "build": Build.objects.filter(bundle=shown.bundle, environment=environment)
        .select_related("revision")
        .first(),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def roll_back(request: DeskRequest, version: int) -> HttpResponse:
    """What going back to this release's bundle would change; then the deed."""
    target, newest = _release(request, version), _newest(request)
    if newest is None:
        raise Http404(version)
    notice, status = "", 200
    if request.method == "POST":
        try:
            with once(request) as attempt:
                if attempt.earlier is not None:
                    return redirect(attempt.earlier)
                made = rollback(
                    actor=request.desk.user,
                    environment=Environment.objects.get(pk=request.desk.environment),
                    to_version=version,
                    reason=request.POST.get("reason", "").strip()[:300],
                    after=int(request.POST["after"]) if request.POST.get("after", "").isdigit() else None,
                )
                attempt.leads_to = reverse("console:release", args=[request.desk.environment, made.version])
        except Refused as refused:
            notice, status = refused.detail, refused.http_status
        else:
            toasts.say(request, f"Rolling back to release {version}.")
            return redirect(attempt.leads_to)
    context = {
        **_changes(newest.bundle, target.bundle),
        "release": target,
        "newest": newest,
        "gateways": active_gateways(request.desk.environment).count(),
        "same": newest.bundle == target.bundle,
        "notice": notice,
        "token": new_token(),
    }
    return show(request, "console/releases/roll_back.html", "releases", context, status=status)


@require_safe
@for_staff
def following(request: DeskRequest, number: int) -> HttpResponse:
    """What became of a revision that was just saved: built, released, running at how many gateways."""
    environment = request.desk.environment
    revision = selectors.revisions(environment).filter(number=number).first()
    if revision is None:
        raise Http404(number)
    build = Build.objects.filter(revision=revision, environment=environment).first()
    shown = None
    if build is not None:
        shown = Release.objects.filter(environment=environment, bundle=build.bundle_id).first()
    context: dict[str, Any] = {"revision": revision, "build": build, "release": shown}
    if shown is not None:
        context |= _context(request, shown)
    return show(request, "console/releases/_following.html", "policies", context)


def _changes(before: str, after: str) -> dict[str, Any]:
    """The objects that differ between two bundles, with the fields that do."""
    old, new = (selectors.bundle(digest) if digest else None for digest in (before, after))
    changed = progress.what_changes(old, new)
    shown = changed[:MOST_CHANGES]
    bodies = comparing.bodies(shown)
    return {
        "changes": [
            (
                each,
                kinds.BY_NAME.get(each.kind),
                comparing.differences(bodies.get(each.before or ""), bodies.get(each.after or ""))
                if each.action == "update"
                else [],
            )
            for each in shown
        ],
        "more_changes": len(changed) - len(shown),
    }


def _release(request: DeskRequest, version: int) -> Release:
    found = Release.objects.filter(environment=request.desk.environment, version=version).first()
    if found is None:
        raise Http404(version)
    return found


def _newest(request: DeskRequest) -> Release | None:
    return Release.objects.filter(environment=request.desk.environment).first()
