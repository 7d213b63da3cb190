"""What did administrators of tenants set for their teams, and what of it does the policy let stand?

Weights and limits of teams come with the directory, whenever somebody sets one, and lie over the quotas of
whatever policy is in force. Each stands only while a tenant above the team has the right in its quota's
`delegation`; a limit, besides, only up to what those above the team may use. What does not stand is refused
with a code, and what stood in its place before stays, as long as this policy lets that stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from coordination.program.named import Quota, Tenant
from coordination.program.records import MILLION, LimitOf, LimitPer, LimitRecord, Ppm

LEAST_WEIGHT: Ppm = 1
MOST_WEIGHT: Ppm = 1_000_000 * MILLION
"""What a quota's weight may be; a share of the directory is clamped to it."""

Thing = tuple[LimitOf, LimitPer]
"""What a limit counts, and in which period."""
Amounts = Mapping[Thing, int]
TeamLimits = Mapping[str, Mapping[LimitOf, Mapping[LimitPer, int]]]
"""As the directory has them: by team, by what is counted, by period."""
Right = Literal["weight", "limits"]
TeamCode = Literal["beyond_delegation", "limit_above_parent", "limit_above_policy"]


@dataclass(frozen=True, slots=True)
class Stated:
    """What the quotas of a tenant, or of all on a path, say that matters to what may be set for teams."""

    delegates: frozenset[str] = frozenset()
    """Rights that any of them gives its administrators."""
    most: Amounts = field(default_factory=dict)
    """The most that its limits on all its requests ever allow; those in shadow bind nobody."""


def stated(quotas: Iterable[Quota]) -> Stated:
    """Of all quotas of one tenant."""
    delegates: frozenset[str] = frozenset()
    most: dict[Thing, int] = {}
    for quota in quotas:
        if quota.delegation is not None:
            delegates |= quota.delegation.rights
        if quota.tiers or quota.models:
            continue
        for limit in quota.limits:
            if not limit.shadow:
                thing = (limit.of, limit.per)
                size = max([limit.limit, *(change.limit for change in limit.scheduled)])
                most[thing] = min(size, most.get(thing, size))
    return Stated(delegates, most)


NOTHING_STATED = Stated()


def together(outer: Stated, inner: Stated) -> Stated:
    """What two tenants on one path say of those below both: any right, and the tightest limit, of either."""
    if not inner.most and not inner.delegates:
        return outer
    least = {thing: min(size, outer.most.get(thing, size)) for thing, size in inner.most.items()}
    return Stated(outer.delegates | inner.delegates, {**outer.most, **least})


class Beyond(NamedTuple):
    """Why something set for a team does not stand."""

    code: TeamCode
    message: str
    most: int | None = None
    """What a limit may be at most, where that is why."""


def beyond_weight(above: Stated) -> Beyond | None:
    """None if a team's weight may be set. ``above``: what the tenants above it say together."""
    return None if "weight" in above.delegates else _undelegated("its weight")


def beyond_limit(above: Stated, own: Callable[[], Stated], thing: Thing, amount: int) -> Beyond | None:
    """None if a limit of a team may be ``amount``. What nobody above it limits, the policy's own limit of
    the team bounds: an administrator divides what there is, and makes nothing."""
    if "limits" not in above.delegates:
        return _undelegated("its limits")
    most = above.most.get(thing)
    if most is not None:
        if amount <= most:
            return None
        return Beyond("limit_above_parent", f"{named(thing)} is at most {most} above it", most)
    most = own().most.get(thing)
    if most is None or amount <= most:
        return None
    why = f"the policy gives it {most} of {named(thing)}, and no tenant above it has a limit to divide"
    return Beyond("limit_above_policy", why, most)


def _undelegated(what: str) -> Beyond:
    return Beyond("beyond_delegation", f"no quota of a tenant above it delegates {what}")


def named(thing: Thing) -> str:
    return f"{thing[0]} per {thing[1]}"


class TeamRefusal(NamedTuple):
    """Something of the directory that this policy does not let stand."""

    tenant: str
    what: str
    """``weight``, or a limit such as ``requests per 1m``."""
    code: TeamCode
    message: str


@dataclass(frozen=True, slots=True)
class Teams:
    """What stands of what was set for teams, under one policy."""

    weights: Mapping[str, Ppm] = field(default_factory=dict)
    limits: Mapping[str, Amounts] = field(default_factory=dict)
    refusals: Mapping[str, tuple[TeamRefusal, ...]] = field(default_factory=dict)
    """By team."""
    asked_weights: Mapping[str, Ppm] = field(default_factory=dict)
    asked_limits: TeamLimits = field(default_factory=dict)
    """What all this was made of."""

    @property
    def refused(self) -> tuple[TeamRefusal, ...]:
        """By team."""
        return tuple(one for _, refusals in sorted(self.refusals.items()) for one in refusals)


NOTHING_SET = Teams()


def changed(teams: Teams, weights: Mapping[str, Ppm], limits: TeamLimits) -> set[str]:
    """Tenants of which something else is asked now, and those of which something was refused."""
    found = {name for name, _ in teams.asked_weights.items() ^ weights.items()}
    if limits != teams.asked_limits:
        named = teams.asked_limits.keys() | limits.keys()
        found |= {name for name in named if teams.asked_limits.get(name) != limits.get(name)}
    return found | teams.refusals.keys()


class Judge:
    """What one policy lets stand. Whatever it says of a tenant is looked up once."""

    def __init__(
        self,
        path_of: Callable[[str], Sequence[str] | None],
        quotas_of: Callable[[str], Iterable[Quota]],
    ) -> None:
        """``path_of``: the tenants from the outermost to the team; None for one the policy lacks."""
        self._path_of = path_of
        self._quotas_of = quotas_of
        self._above: dict[tuple[str, ...], Stated] = {(): NOTHING_STATED}

    def settle(
        self, of: Iterable[str], weights: Mapping[str, Ppm], limits: TeamLimits, held: Teams, before: Teams
    ) -> Teams:
        """``held``, with what ``weights`` and ``limits`` now say of the tenants in ``of``. ``before``: what
        stood until now, and stands on where it may in place of what may not."""
        standing, narrowed, refusals = dict(held.weights), dict(held.limits), dict(held.refusals)
        for tenant in of:
            for known in (standing, narrowed, refusals):
                known.pop(tenant, None)
            path = self._path_of(tenant)
            if path is None:  # of a policy to come, or of one that is gone
                continue
            above = self._together(tuple(path[:-1]))
            refused: list[TeamRefusal] = []
            weight = weights.get(tenant)
            if weight is not None:
                beyond = beyond_weight(above)
                if beyond is None:
                    standing[tenant] = min(max(weight, LEAST_WEIGHT), MOST_WEIGHT)
                else:  # a weight that stood before took the same right
                    refused.append(TeamRefusal(tenant, "weight", beyond.code, beyond.message))
            asked = limits.get(tenant)
            if asked:
                found = self._limits(tenant, above, asked, before.limits.get(tenant, {}), refused)
                if found:
                    narrowed[tenant] = found
            if refused:
                refusals[tenant] = tuple(refused)
        return Teams(standing, narrowed, refusals, weights, limits)

    def _limits(
        self,
        tenant: str,
        above: Stated,
        asked: Mapping[LimitOf, Mapping[LimitPer, int]],
        before: Amounts,
        refused: list[TeamRefusal],
    ) -> Amounts:
        stands: dict[Thing, int] = {}
        for of, periods in asked.items():
            for per, amount in periods.items():
                thing = (of, per)
                beyond = beyond_limit(above, lambda: stated(self._quotas_of(tenant)), thing, amount)
                if beyond is None:
                    stands[thing] = amount
                    continue
                refused.append(TeamRefusal(tenant, named(thing), beyond.code, beyond.message))
                last = before.get(thing)
                if last is not None and self._may(tenant, above, thing, last):
                    stands[thing] = last
        return stands

    def _may(self, tenant: str, above: Stated, thing: Thing, amount: int) -> bool:
        return beyond_limit(above, lambda: stated(self._quotas_of(tenant)), thing, amount) is None

    def _together(self, path: tuple[str, ...]) -> Stated:
        found = self._above.get(path)
        if found is None:
            outer = self._together(path[:-1])
            found = self._above[path] = together(outer, stated(self._quotas_of(path[-1])))
        return found

    def giver(self, tenant: str) -> str:
        """The nearest tenant above a team that delegates limits; itself if none does."""
        path = self._path_of(tenant) or ()
        return next(
            (up for up in reversed(path[:-1]) if "limits" in stated(self._quotas_of(up)).delegates), tenant
        )


class Overlay:
    """The limits that stand for teams, as limits of quotas."""

    __slots__ = ("_on", "laid", "set_by")

    def __init__(self) -> None:
        self.laid: dict[str, tuple[LimitRecord, ...]] = {}
        """Quota -> its limits with those of its team in their place."""
        self.set_by: dict[tuple[str, str, str], str] = {}
        """(quota, dimension, period) of what was set -> the tenant whose administrators set it."""
        self._on: dict[str, list[tuple[Quota, Amounts]]] = {}
        """By team."""

    def lay(self, team: Tenant, amounts: Amounts, own: Iterable[Quota], giver: str) -> Quota | None:
        """Let these limits of a team stand instead of those before; if on a quota made for it, that one."""
        for quota, things in self._on.pop(team.name, ()):
            del self.laid[quota.name]
            for thing in things:
                del self.set_by[quota.name, *thing]
        wide = [quota for quota in own if not quota.tiers and not quota.models]
        made = made_for(team) if amounts and not wide else None
        on: dict[str, tuple[Quota, dict[Thing, int]]] = {}
        for thing, amount in amounts.items():
            having = [one for one in wide if any((limit.of, limit.per) == thing for limit in one.limits)]
            for quota in having or wide[:1] or filter(None, [made]):
                on.setdefault(quota.name, (quota, {}))[1][thing] = amount
                self.set_by[quota.name, *thing] = giver
        for quota, things in on.values():
            self.laid[quota.name] = laid_over(quota.limits, things)
        if on:
            self._on[team.name] = list(on.values())
        return made


def made_for(team: Tenant) -> Quota:
    """The quota of a team that the policy has none for. No document's name has a slash."""
    return Quota(
        index=-1,
        name=team.name,
        tenant=team.name,
        tiers=frozenset(),
        models=frozenset(),
        weight_ppm=MILLION,
        limits=(),
        concurrency=None,
        session=None,
        run=None,
        caps=None,
        zone=team.zone,
    )


def laid_over(limits: Iterable[LimitRecord], amounts: Amounts) -> tuple[LimitRecord, ...]:
    """A quota's limits with ``amounts`` in place of what they limit. What else they say (guarantees, shadow)
    stays; a change that the policy had in store for one does not."""
    left = dict(amounts)
    laid = [
        limit
        if (amount := left.pop((limit.of, limit.per), None)) is None
        else msgspec.structs.replace(limit, limit=amount, scheduled=())
        for limit in limits
    ]
    return (*laid, *(LimitRecord(of=of, per=per, limit=amount) for (of, per), amount in left.items()))
