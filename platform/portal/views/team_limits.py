"""Limits of one team, typed, looked at and saved; and asking the operator for what is not delegated."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from coordination.program.teams import Amounts
from coordination.spec.finding import Misread
from foundation.http import Refused
from policies.mapping.delegation import bounds
from policies.services.teams import beyond, findings
from portal import services
from portal.forms import AskForm, MoveForm
from portal.mapping.asking import wishes
from portal.mapping.checking import concerning
from portal.mapping.team_limits import Typed, currency_of, read_amount, read_typed, team_form
from portal.selectors.shares import limited
from portal.views.desk import DeskRequest, for_administrators, say
from portal.views.teams import listed

COULD_NOT = "These limits were not saved: what stands against each is said below it."


@require_safe
@for_administrators
def preview(request: DeskRequest) -> HttpResponse:
    """What stands against the limits as somebody types; nothing is written."""
    desk = request.desk
    team, held = _team(request, request.GET.get("team", ""))
    typed = read_typed(desk.contract, team, held, request.GET)
    of = bounds(desk.environment, team, desk.tenant)
    wrong = (*typed.errors, *beyond(of, typed.amounts))
    found = concerning(findings(desk.environment, of, team, typed.amounts), desk.contract)
    said = Typed(typed.amounts, wrong, typed.texts)
    form = team_form(desk.contract, team, held, "", said)
    return render(request, "portal/_limits_said.html", {"limits": form, "findings": found, "wrong": wrong})


@require_POST
@for_administrators
def save(request: DeskRequest) -> HttpResponse:
    desk = request.desk
    team, held = _team(request, request.POST.get("team", ""))
    typed = read_typed(desk.contract, team, held, request.POST)
    if typed.errors:
        return listed(request, MoveForm(None), notice=COULD_NOT, status=422, typed=(team, typed))
    try:
        services.set_limits(
            actor=desk.user,
            place=desk.place,
            team=team,
            amounts=typed.amounts,
            version=request.POST.get("version", ""),
        )
    except Refused as refused:
        errors = tuple(getattr(refused, "errors", ()) or ())
        said = Typed(typed.amounts, errors, typed.texts)
        notice = COULD_NOT if errors else f"{refused.detail} ({refused.code})"
        return listed(request, MoveForm(None), notice=notice, status=refused.http_status, typed=(team, said))
    say(request, f"Limits of {team.rpartition('/')[2]} are in force within a second.")
    return redirect("portal:teams", desk.environment, desk.tenant)


@require_POST
@for_administrators
def ask(request: DeskRequest) -> HttpResponse:
    """Becomes a change set; nothing changes until an operator merges it."""
    desk = request.desk
    form = AskForm(request.POST)
    known = {wish.key for wish in wishes(desk.contract)}
    if not form.is_valid() or form.cleaned_data["wish"] not in known:
        return listed(
            request, MoveForm(None), notice="Choose a limit, say how much, and why.", status=422, ask=form
        )
    wanted = form.cleaned_data
    quota, of, per = wanted["wish"].split(" ")
    currency = currency_of(desk.contract)
    try:
        number = services.ask_for(
            actor=desk.user,
            place=desk.place,
            quota=quota,
            thing=(of, per),
            amount=read_amount(of, wanted["amount"], currency),
            currency=currency,
            reason=wanted["reason"],
        )
    except Misread as wrong:
        form.add_error("amount", f"{wrong.message} ({wrong.rule.code})")
        return listed(request, MoveForm(None), notice="Nothing was asked for yet.", status=422, ask=form)
    except Refused as refused:
        return listed(
            request,
            MoveForm(None),
            notice=f"{refused.detail} ({refused.code})",
            status=refused.http_status,
            ask=form,
        )
    say(request, f"Asked for: request {number}. An operator reviews it; nothing has changed yet.")
    return redirect("portal:teams", desk.environment, desk.tenant)


def _team(request: DeskRequest, team: str) -> tuple[str, Amounts]:
    if team not in request.desk.contract.below:
        raise Http404
    return team, limited(request.desk.environment, request.desk.tenant).get(team, {})
