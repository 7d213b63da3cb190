"""A tenant's share divided among its teams: how it stands, what a move would change, and the move."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from coordination.diagnostics import Diagnostic
from coordination.spec.quantities import write_ppm
from foundation.http import Refused
from policies.services.teams import version_of
from portal import services
from portal.forms import AskForm, MoveForm
from portal.mapping import shares
from portal.mapping.asking import wishes
from portal.mapping.checking import findings
from portal.mapping.limits import rows
from portal.mapping.team_limits import Typed, team_form
from portal.selectors.levels import Read
from portal.selectors.shares import asked, limited, moved
from portal.views.desk import DeskRequest, for_administrators, for_members, say, show


@require_safe
@for_members
def teams(request: DeskRequest) -> HttpResponse:
    return listed(request, MoveForm(None))


def listed(
    request: DeskRequest,
    form: MoveForm,
    *,
    notice: str = "",
    status: int = 200,
    typed: tuple[str, Typed] | None = None,
    ask: AskForm | None = None,
) -> HttpResponse:
    """Every tenant from here down that has teams, each with how it divides its share and its limits.
    ``typed``: what was sent for one team and does not do."""
    desk = request.desk
    contract = desk.contract
    held, limits = moved(desk.environment, desk.tenant), limited(desk.environment, desk.tenant)
    parents = [parent for parent in contract.tenants if contract.teams(parent)]
    forms = {
        team: team_form(
            contract,
            team,
            limits.get(team, {}),
            version_of(limits.get(team, {})),
            typed[1] if typed is not None and typed[0] == team else None,
        )
        for team in contract.below
    }
    divided = []
    for parent in parents:
        division = shares.division(contract, parent, shares.weights(contract, held, parent))
        rights = contract.rights_over(division.teams[0].name)
        divided.append((division, [(team, forms[team.name]) for team in division.teams], "weight" in rights))
    context = {
        "divisions": divided,
        "form": form,
        "notice": notice,
        "opened": typed[0] if typed is not None else "",
        "own": rows(contract, Read(None), desk.tenant),
        "wishes": wishes(contract) if desk.may_change else (),
        "ask": ask or AskForm(None),
        "asked": asked(desk.environment, desk.tenant) if desk.may_change else (),
    }
    return show(request, "portal/teams.html", "teams", context, status=status)


@require_safe
@for_administrators
def preview(request: DeskRequest) -> HttpResponse:
    """What a move would change, as somebody types; nothing is written."""
    desk = request.desk
    form = MoveForm(request.GET)
    context: dict[str, object] = {"form": form}
    if form.is_valid():
        move = form.cleaned_data
        try:
            parent = services.require_delegated(desk.contract, move["giver"], move["taker"])
            now = shares.weights(desk.contract, moved(desk.environment, parent), parent)
            then = shares.after(now, move["giver"], move["taker"], form.amount_ppm)
            services.require_possible(now, then, move["giver"], form.amount_ppm)
        except Refused as refused:
            context["refused"] = refused
        else:
            before = shares.division(desk.contract, parent, now)
            after = shares.division(desk.contract, parent, then)
            found: list[Diagnostic] = findings(desk.environment, desk.contract, then)
            context |= {
                "pairs": list(zip(before.teams, after.teams, strict=True)),
                "findings": found,
                "scoped": scoped(request, move["giver"], move["taker"]),
            }
    return show(request, "portal/_preview.html", "teams", context)


@require_POST
@for_administrators
def move(request: DeskRequest) -> HttpResponse:
    desk = request.desk
    form = MoveForm(request.POST)
    if not form.is_valid():
        return listed(request, form, notice="Choose two teams and say how much to move.", status=422)
    wanted = form.cleaned_data
    try:
        services.move_share(
            actor=desk.user,
            place=desk.place,
            giver=wanted["giver"],
            taker=wanted["taker"],
            amount=form.amount_ppm,
            version=wanted["version"],
        )
    except Refused as refused:
        return listed(request, form, notice=f"{refused.detail} ({refused.code})", status=refused.http_status)
    taker, giver = (wanted[name].rpartition("/")[2] for name in ("taker", "giver"))
    say(request, f"Weight {write_ppm(form.amount_ppm)} moved from {giver} to {taker}.")
    return redirect("portal:teams", desk.environment, desk.tenant)


def scoped(request: DeskRequest, *teams: str) -> list[str]:
    """Those whose quotas weigh some of their requests differently, which a moved share levels."""
    return [
        team
        for team in teams
        if any(
            quota.spec.scope.tiers or quota.spec.scope.models
            for quota in request.desk.contract.quotas_of(team)
        )
    ]
