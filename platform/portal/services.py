"""What may a tenant's administrators change? Keys and shares, each by one function that asks first.

``actor`` must administer the tenant that is named; what is changed must be of it or below it, and what is
not is answered as if it did not exist. The change itself is ``tenancy.credentials``': one transaction
with its audit entry and the event that makes the next directory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from coordination.program.teams import Amounts, Thing
from coordination.spec.quantities import Money, write_ppm
from fleet.models import Environment
from foundation.actors import Actor
from foundation.http import Conflict, FieldError, Forbidden, Invalid, NotFound
from foundation.locking import locked
from policies import selectors as policy
from policies.services import request_change
from policies.services.teams import NOT_YOURS, set_team_limits
from portal.mapping import shares
from portal.mapping.asking import resized
from portal.mapping.checking import findings
from portal.permissions import require_administrator, within
from portal.selectors import keys
from portal.selectors.contract import Contract
from portal.selectors.shares import moved
from tenancy import credentials
from tenancy.models import ApiKey


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is changed: a tenant in an environment, as its contract stands."""

    environment: str
    contract: Contract

    @property
    def tenant(self) -> str:
        return self.contract.name


def create_key(
    *,
    actor: Actor,
    place: Place,
    team: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
) -> credentials.NewKey:
    """A key of the tenant's own or of one of its teams'."""
    require_administrator(actor, place.tenant)
    if team not in place.contract.tenants:
        raise Invalid(
            "unknown_team",
            "You have no team of that name.",
            errors=[FieldError("/team", "unknown_team", "you have no team of that name")],
        )
    if team != place.tenant:
        require_right(place.contract, team, "keys")
    return credentials.create_key(
        actor=actor,
        environment=place.environment,
        tenant=team,
        name=name,
        scopes=scopes,
        expires_at=expires_at,
    )


def revoke_key(*, actor: Actor, place: Place, key_id: str) -> ApiKey:
    """At once and for good. A team's too, whatever is delegated: a key that leaked waits for nobody."""
    require_administrator(actor, place.tenant)
    found = the_key(place, key_id)
    credentials.revoke_key(actor=actor, key=found)
    return found


def rotate_key(*, actor: Actor, place: Place, key_id: str, overlap: timedelta) -> credentials.NewKey:
    """A new key for the same use; the old one works for ``overlap`` longer."""
    require_administrator(actor, place.tenant)
    found = the_key(place, key_id)
    if found.tenant != place.tenant:
        require_right(place.contract, found.tenant, "keys")
    return credentials.rotate_key(actor=actor, key=found, overlap=overlap)


@transaction.atomic
def move_share(*, actor: Actor, place: Place, giver: str, taker: str, amount: int, version: str) -> None:
    """Move ``amount`` (ppm) of weight between two teams of one tenant, seen as ``version``.

    What is delegated is the division of the tenant's own share among its teams: both teams stand side
    by side below it, the sum of their weights stays, and each keeps a part.
    """
    require_administrator(actor, place.tenant)
    parent = require_delegated(place.contract, giver, taker)
    # Whoever moves next waits here, and then finds another version.
    locked(Environment.objects.filter(name=place.environment)).get()
    now = shares.weights(place.contract, moved(place.environment, parent), parent)
    if shares.division(place.contract, parent, now).version != version:
        raise Conflict(
            "stale_edit", "Somebody else moved a share meanwhile: look again.", kind="Team", name=parent
        )
    then = shares.after(now, giver, taker, amount)
    require_possible(now, then, giver, amount)
    wrong = [each for each in findings(place.environment, place.contract, then) if each.severity == "error"]
    if wrong:
        raise Invalid("invalid_policy", wrong[0].message)
    for team in (giver, taker):
        credentials.move_share(actor=actor, environment=place.environment, tenant=team, weight_ppm=then[team])


def set_limits(*, actor: Actor, place: Place, team: str, amounts: Amounts, version: str) -> None:
    """Let these be all limits that are set for a team, seen as ``version``; within the delegation."""
    require_administrator(actor, place.tenant)
    require_team(place, team)
    set_team_limits(
        actor=actor,
        environment=place.environment,
        team=team,
        amounts=amounts,
        within=place.tenant,
        version=version,
    )


def require_team(place: Place, team: str) -> None:
    """Somebody else's is answered as if there were none."""
    if team not in place.contract.below:
        raise NotFound("not_found", "You have no team of that name.")


def ask_for(
    *, actor: Actor, place: Place, quota: str, thing: Thing, amount: int, currency: str, reason: str
) -> int:
    """Ask for another size of one of the tenant's limits, or of a team's: the number of the change set that
    an operator reviews."""
    require_administrator(actor, place.tenant)
    document = next((each for each in place.contract.quotas if each.name == quota), None)
    if document is None or all((one.of, one.per) != thing for one in document.spec.limits):
        raise NotFound("not_found", "You have no such limit.")
    base = policy.digests(place.environment, [("Quota", quota)]).get(("Quota", quota), "")
    return request_change(
        actor=actor,
        environment=place.environment,
        tenant=place.tenant,
        wanted=resized(document, thing, Money(amount, currency) if thing[0] == "spend" else amount),
        base_digest=base,
        reason=reason,
    ).pk


def require_delegated(contract: Contract, giver: str, taker: str) -> str:
    """The tenant both are teams of; ``beyond_delegation`` unless it is one that may divide its share."""
    parent = giver.rpartition("/")[0]
    if (
        giver == taker
        or taker.rpartition("/")[0] != parent
        or not within(parent, contract.name)
        or not {giver, taker} <= set(contract.below)
    ):
        raise Forbidden(
            "beyond_delegation",
            "You may divide your own share among teams that stand side by side below you; "
            "what you get beside others is the platform's to change.",
        )
    require_right(contract, giver, "weight")
    return parent


def require_right(contract: Contract, team: str, right: str) -> None:
    """``Forbidden`` (``beyond_delegation``) unless a quota of somebody above ``team`` that the contract's
    administrators are of gives them this right."""
    if right not in contract.rights_over(team):
        raise Forbidden("beyond_delegation", NOT_YOURS)


def require_possible(now: dict[str, int], then: dict[str, int], giver: str, amount: int) -> None:
    if amount <= 0:
        raise Invalid("invalid_weight", "Say how much to move: more than nothing.")
    if then[giver] < shares.LEAST:
        most = max(0, now[giver] - shares.LEAST)
        raise Invalid(
            "share_too_small",
            f"A team keeps a weight of at least {write_ppm(shares.LEAST)}: "
            f"at most {write_ppm(most)} can be moved.",
            errors=[FieldError("/amount", "share_too_small", f"at most {write_ppm(most)}")],
        )


def the_key(place: Place, key_id: str) -> ApiKey:
    found = keys.key(place.environment, place.tenant, key_id)
    if found is None:
        raise NotFound("not_found", "You have no such key.")
    return found
