"""May this be set for a team? Asked of the policy as it is written, before it is set in the directory."""

from __future__ import annotations

import hashlib

from django.db import transaction

from coordination.diagnostics import Diagnostic
from coordination.program.teams import Amounts, Beyond, Thing
from coordination.spec.quantities import Money, write_count, write_money
from fleet.models import Environment
from foundation.actors import Actor
from foundation.http import Conflict, FieldError, Forbidden, Invalid
from foundation.locking import locked
from policies import selectors
from policies.mapping import sets
from policies.mapping.delegation import Bounds, bounds, with_limits
from policies.services import clock
from tenancy import credentials, team_limits

NOT_YOURS = (
    "The policy does not delegate this: no quota of a tenant above this one lets its administrators "
    "change it. Ask an operator for it."
)


def version_of(amounts: Amounts) -> str:
    """Changes whenever a limit does: what a change is made against."""
    told = "\n".join(f"{of} {per} {amount}" for (of, per), amount in sorted(amounts.items()))
    return hashlib.sha256(told.encode()).hexdigest()[:20]


@transaction.atomic
def set_team_weight(*, actor: Actor, environment: str, team: str, weight_ppm: int, within: str = "") -> None:
    """Whether ``actor`` acts for ``within`` (empty: for the platform) is the caller's to know."""
    require_weight(bounds(environment, team, within))
    credentials.move_share(actor=actor, environment=environment, tenant=team, weight_ppm=weight_ppm)


def require_weight(of: Bounds) -> None:
    """``Forbidden`` (``beyond_delegation``) unless its weight may be set."""
    if of.beyond_weight() is not None:
        raise Forbidden("beyond_delegation", NOT_YOURS)


@transaction.atomic
def set_team_limits(
    *,
    actor: Actor,
    environment: str,
    team: str,
    amounts: Amounts,
    within: str = "",
    version: str | None = None,
) -> None:
    """Let these be all that is set for ``team``. ``version``: of what the author saw.

    Raises ``Forbidden`` (``beyond_delegation``), ``Invalid`` with an error for each limit that may not be,
    ``Conflict`` (``stale_edit``).
    """
    # Whoever sets something next waits here, and then finds another version.
    locked(Environment.objects.filter(name=environment)).get()
    held = team_limits.limits_of(environment, team)
    if version is not None and version != version_of(held):
        raise Conflict(
            "stale_edit", "Somebody else changed these limits meanwhile: look again.", kind="Team", name=team
        )
    of = bounds(environment, team, within)
    if "limits" not in of.above.delegates:
        raise Forbidden("beyond_delegation", NOT_YOURS)
    wrong = [*beyond(of, amounts), *errors(environment, of, team, amounts)]
    if wrong:
        raise Invalid(wrong[0].code, f"{wrong[0].message} ({wrong[0].code})", errors=wrong)
    team_limits.set_limits(actor=actor, environment=environment, tenant=team, amounts=amounts)


def beyond(of: Bounds, amounts: Amounts) -> list[FieldError]:
    """An error for each limit that is more than those above allow, at ``/limits/<of>/<per>``."""
    return [
        FieldError(f"/limits/{thing[0]}/{thing[1]}", found.code, said(of, thing, found))
        for thing, amount in amounts.items()
        if (found := of.beyond_limit(thing, amount)) is not None
    ]


def said(of: Bounds, thing: Thing, found: Beyond) -> str:
    """Without the number, where it is of a tenant that the one who asks is only a part of."""
    if found.most is None:
        return found.message
    name = f"{thing[0].replace('_', ' ')} per {thing[1]}"
    if found.code == "limit_above_policy":
        return f"at most {shown(of, thing, found.most)} of {name}: no one above has such a limit"
    if of.shown.get(thing) != found.most:
        return f"this is more {name} than those above you may use"
    return f"at most {shown(of, thing, found.most)} of {name}: that is all there is to divide"


def shown(of: Bounds, thing: Thing, amount: int) -> str:
    """``2M``, ``20000 USD``."""
    return write_money(Money(amount, of.currency)) if thing[0] == "spend" else str(write_count(amount))


def errors(environment: str, of: Bounds, team: str, amounts: Amounts) -> list[FieldError]:
    """What the policy's own checks would refuse of it."""
    return [
        FieldError(_place(each, of, team, amounts), each.code, each.message)
        for each in findings(environment, of, team, amounts)
        if each.severity == "error"
    ]


def findings(environment: str, of: Bounds, team: str, amounts: Amounts) -> list[Diagnostic]:
    """What the policy's own checks say of the team's quotas with these limits written into them, and do
    not say of them as they are."""
    revision = selectors.current_revision(environment)
    edited = with_limits(of.documents, team, amounts)
    if revision is None or not edited:
        return []
    stored, at = sets.stored_set(revision.root_tree_id), clock.micros(clock.midnight())
    names = {document.name for document in edited}
    known = {(each.code, each.message) for each in stored.check(environment, at)}
    candidate = stored.with_edits({("Quota", document.name): document for document in edited})
    return [
        each
        for each in candidate.check(environment, at)
        if each.object is not None
        and (each.object.kind, each.object.name in names) == ("Quota", True)
        and (each.code, each.message) not in known
    ]


def _place(found: Diagnostic, of: Bounds, team: str, amounts: Amounts) -> str:
    """The limit that a finding is about, as ``beyond`` names places."""
    steps = found.json_pointer.split("/")
    for document in with_limits(of.documents, team, amounts):
        if found.object is None or document.name != found.object.name or steps[1:3] != ["spec", "limits"]:
            continue
        limit = document.spec.limits[int(steps[3])]
        return f"/limits/{limit.of}/{limit.per}"
    return "/limits"
