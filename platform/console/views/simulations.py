"""What was simulated, what would be, and how do simulations compare?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.forms.simulating import SimulationForm
from console.mapping import simulated
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import next_page
from foundation.http import FieldError, Invalid, Refused
from foundation.http.once import new_token, once
from foundation.http.pages import page
from policies import selectors as policy
from simulations import selectors, services
from simulations.mapping import promoting
from simulations.mapping.results import better_and_worse, compared
from simulations.models import Simulation, State, StoredProfile

PAGE = 50
MOST_OFFERED = 200


@require_safe
@for_staff
def listing(request: DeskRequest) -> HttpResponse:
    rows = selectors.simulations(request.desk.environment)
    found = page(rows, order=("-id",), cursor=request.GET.get("cursor"), limit=PAGE)
    context = {
        "simulations": [(each, simulated.STATES[State(each.state)]) for each in found.items],
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    return show(request, "console/simulations/list.html", "simulations", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def simulate(request: DeskRequest) -> HttpResponse:
    """Ask a question; whatever will not do is said at its field, and nothing typed is lost."""
    environment = request.desk.environment
    profiles = list(selectors.profiles(environment))
    numbers = [each.pk for each in profiles]
    form = (
        SimulationForm(request.POST, profiles=numbers)
        if request.method == "POST"
        else SimulationForm(initial=_begin(request), profiles=numbers)
    )
    notice, status = "", 200
    errors: tuple[FieldError, ...] = ()
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                with once(request) as attempt:
                    if attempt.earlier is not None:
                        return redirect(attempt.earlier)
                    made = services.start(actor=request.desk.user, environment=environment, ask=form.ask())
                    attempt.leads_to = reverse("console:simulation", args=[environment, made.pk])
            except Refused as refused:
                notice, errors, status = refused.detail, refused.errors, refused.http_status
            else:
                return redirect(attempt.leads_to)
    context = {
        "form": form,
        "notice": notice,
        "errors": errors,
        "token": new_token(),
        "policies": _policies(environment),
        "traces": list(selectors.traces(environment)[:MOST_OFFERED]),
        "examples": selectors.examples(),
        "knobs": _knobs(environment),
        "chosen": _chosen(str(form["traffic"].value() or "")),
        "profiles": _offered(form, profiles),
    }
    return show(request, "console/simulations/new.html", "simulations", context, status=status)


def _knobs(environment: str) -> list[str]:
    """Numbers that can be turned: replicas of all pools together, or of one where there are several."""
    pools = list(
        policy.heads(environment, "Pool").order_by("name").values_list("name", flat=True)[:MOST_OFFERED]
    )
    each = [f"replicas:{name}" for name in pools] if len(pools) > 1 else []
    return ["replicas", *each, "release_after", "speed", "host_tokens"]


def _chosen(traffic: str) -> int | None:
    """The trace that is chosen, of those kept here."""
    kind, _, which = traffic.partition(":")
    return int(which) if kind == "trace" and which.isascii() and which.isdigit() else None


def _offered(
    form: SimulationForm, profiles: Sequence[StoredProfile]
) -> list[tuple[StoredProfile, bool, str]]:
    """(profile, whether it is chosen, for which pools)."""
    chosen = {str(each) for each in form["profile"].value() or ()}
    return [(each, str(each.pk) in chosen, form.pools_of(each.pk)) for each in profiles]


def _begin(request: DeskRequest) -> dict[str, Any]:
    """What the page that led here had in mind."""
    environment = request.desk.environment
    change_set, trace = request.GET.get("change_set", ""), request.GET.get("trace", "")
    profile = request.GET.get("profile", "")
    released = selectors.released(environment) is not None
    first = selectors.traces(environment).first()
    return {
        "policy": f"change_set:{change_set}" if change_set.isdigit() else "current",
        "against": ("released" if released else "current") if change_set.isdigit() else "",
        "profile": [profile] if profile.isdigit() else [],
        "traffic": f"trace:{trace}"
        if trace.isdigit()
        else f"trace:{first.pk}"
        if first
        else "example:quickstart",
    }


def _policies(environment: str) -> list[tuple[str, str]]:
    """(value, what it is called) of the policies that can be chosen."""
    offered = []
    current = policy.current_revision(environment)
    if current is not None:
        offered.append(("current", f"Current: revision {current.number}"))
    if selectors.released(environment) is not None:
        offered.append(("released", "Released: what gateways are told to run"))
    proposals = policy.change_sets(environment, "open")[:MOST_OFFERED]
    for each in proposals:
        offered.append(
            (f"change_set:{each.pk}", f"Change set {each.pk}: {each.reason[:60] or 'no reason given'}")
        )
    return offered


@require_safe
@for_staff
def simulation(request: DeskRequest, number: int) -> HttpResponse:
    """How far it is; once it is done, its report."""
    found = _found(request, number)
    runs = selectors.runs(found)
    context: dict[str, Any] = {
        "simulation": found,
        "scenario": found.scenario,
        "state": simulated.STATES[State(found.state)],
        "runs": runs,
        "made_of": selectors.made_of(found.scenario),
        "progress": simulated.progress_of(found, runs),
        "alone": found.state == State.QUEUED and bool(settings.REDIS_URL) and not selectors.anybody_works(),
    }
    if request.htmx and not found.ended:
        return show(request, "console/simulations/_progress.html", "simulations", context)
    if found.result is not None:
        context |= _shown(found.result) | _promotable(found)
    return show(request, "console/simulations/one.html", "simulations", context)


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    swept = "tried" in result
    return {
        "result": result,
        "swept": swept,
        "minutes": "" if swept else simulated.written("µs", result["simulated_seconds"] * 1_000_000),
        "facts": [] if swept else simulated.facts(result),
        "tables": [] if swept else simulated.tables(result),
        "plots": simulated.plots(result),
        "differences": simulated.differences(result),
        "worst": [] if swept else simulated.worst(result),
        "refused": []
        if swept
        else [(side, sum(one["refused"].values()), one["refused"]) for side, one in simulated.sides(result)],
    }


def _promotable(found: Simulation) -> dict[str, Any]:
    """What of it could become policy, and what has."""
    result = found.result or {}
    if "tried" in result:
        try:
            offers, problem = promoting.offers_of(found), ""
        except Refused as refused:
            offers, problem = None, refused.detail
        return {
            "offers": offers,
            "problem": problem,
            "tried": simulated.with_offers(simulated.tried(result), offers),
            "token": new_token(),
        }
    counts = better_and_worse(result)
    earlier = promoting.earlier_revision(found)
    promoted = selectors.promotions(found).get(None)
    fared_worse = result.get("verdict") == "fails" or (counts is not None and counts[0] <= counts[1])
    if earlier is None or (fared_worse and promoted is None):
        return {}
    return {
        "earlier": earlier,
        "current": policy.current_revision(found.environment),
        "counts": counts,
        "restoring": promoted.change_set if promoted else None,
        "token": new_token(),
    }


@require_POST
@for_operators
def promote(request: DeskRequest, number: int) -> HttpResponse:
    """Into a change set, whose page is next."""
    found = _found(request, number)
    environment = request.desk.environment
    try:
        with once(request) as attempt:
            if attempt.earlier is not None:
                return redirect(attempt.earlier)
            promoted = services.promote(
                actor=request.desk.user,
                simulation=found,
                value=_number(request.POST.get("value", "")),
                head_digest=request.POST.get("head", ""),
            )
            attempt.leads_to = reverse("console:change-set", args=[environment, promoted.change_set.pk])
    except Refused as refused:
        toasts.refused(request, refused)
        return redirect("console:simulation", environment, found.pk)
    toasts.say(request, f"Simulation {found.pk} is promoted: nothing changes until this is merged.")
    return redirect(attempt.leads_to)


def _number(typed: str) -> float | None:
    """A value of a sweep as the page wrote it. Raises ``Invalid``."""
    try:
        return float(typed) if typed else None
    except ValueError:
        raise Invalid("unknown_value", f"`{typed[:40]}` is no number.") from None


@require_POST
@for_operators
def cancel(request: DeskRequest, number: int) -> HttpResponse:
    found = _found(request, number)
    try:
        services.cancel(actor=request.desk.user, simulation=found)
    except Refused as refused:
        toasts.refused(request, refused)
    else:
        toasts.say(request, f"Simulation {found.pk} is cancelled.")
    return redirect("console:simulation", request.desk.environment, found.pk)


@require_safe
@for_staff
def compare(request: DeskRequest) -> HttpResponse:
    """Up to four, side by side; what was asked for is in the address."""
    context: dict[str, Any] = {}
    status = 200
    try:
        found = compared(request.desk.environment, request.GET.getlist("of"))
    except Refused as refused:
        context["problem"], status = refused.detail, refused.http_status
    else:
        context["found"] = found
        context["rows"] = simulated.side_by_side([one.figures for one in found.columns])
    return show(request, "console/simulations/compare.html", "simulations", context, status=status)


def _found(request: DeskRequest, number: int) -> Simulation:
    found = selectors.simulation(request.desk.environment, number)
    if found is None:
        raise Http404(number)
    return found
