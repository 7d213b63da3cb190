"""How is an emergency measure told to the people who make one? Titles, what it does, how long it may last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from coordination.bundle.overrides import KINDS, LONGEST, MAX_FACTOR, WIDENING, OverrideKind
from coordination.program.records import MILLION
from delivery.models import Override
from delivery.overrides.standing import State, state_of
from tenancy.models import User


@dataclass(frozen=True, slots=True)
class Measure:
    """A kind, in words."""

    kind: OverrideKind
    title: str
    about: str
    """What its subject is called; empty if it has none."""
    does: str
    ends: str
    """What ending it early is called."""

    @property
    def widens(self) -> bool:
        return self.kind in WIDENING

    @property
    def lasts(self) -> tuple[tuple[int, str], ...]:
        """The times one may choose from, in seconds."""
        longest = LONGEST[self.kind] // MILLION
        return tuple(one for one in LASTS if one[0] <= longest)

    @property
    def usual(self) -> int:
        return min(3600, self.lasts[-1][0])


LASTS = (
    (900, "15 minutes"),
    (1800, "30 minutes"),
    (3600, "1 hour"),
    (4 * 3600, "4 hours"),
    (86_400, "1 day"),
    (3 * 86_400, "3 days"),
    (7 * 86_400, "7 days"),
)
FACTORS = ((1_250_000, "a quarter more"), (1_500_000, "half as much again"), (MAX_FACTOR, "twice as much"))

MEASURES: dict[str, Measure] = {
    one.kind: one
    for one in (
        Measure(
            "block_tenant",
            "Block a tenant",
            "Tenant",
            "New requests of the tenant, and of all below it, are refused with 403. What is in flight ends "
            "as it will.",
            "Unblock",
        ),
        Measure(
            "block_key",
            "Block an API key",
            "Key id",
            "New requests with this key are refused with 401. A key that has leaked is better revoked: that "
            "is for good.",
            "Unblock",
        ),
        Measure(
            "drain_replica",
            "Drain a replica",
            "Replica",
            "Nothing new goes to this replica; what it has ends as it will. Cordoning it is the same, for as "
            "long as may be.",
            "Put back",
        ),
        Measure(
            "drain_pool",
            "Drain a pool",
            "Pool",
            "Nothing new goes to this pool. What waits for it goes where its route leads otherwise, or is "
            "refused with 503.",
            "Put back",
        ),
        Measure(
            "freeze_releases",
            "Freeze releases",
            "",
            "Nothing is released until it ends; what is saved meanwhile waits. Rolling back still works.",
            "Thaw",
        ),
        Measure(
            "wake_pool",
            "Wake a pool",
            "Pool",
            "Replicas are on their way: requests of this pool are held for them, longer than their tier "
            "would have it.",
            "Stop waiting",
        ),
        Measure(
            "raise_limit",
            "Raise a limit",
            "Limit",
            "Asks for more of a limit, to at most twice. A second person has to approve it; a change set is "
            "opened for the case that it is to last.",
            "Lower again",
        ),
    )
}
assert tuple(sorted(MEASURES)) == tuple(sorted(KINDS))  # noqa: S101 - a kind without words has no screen


@dataclass(frozen=True, slots=True)
class Shown:
    """One override, for whoever looks at it."""

    row: Override
    measure: Measure
    state: State
    until: datetime | None
    ended: datetime | None
    may_approve: bool

    @property
    def colour(self) -> str:
        return {"in_force": "warn", "waiting": "unknown", "ended": "ok", "lapsed": "unknown"}[self.state]

    @property
    def words(self) -> str:
        return {
            "in_force": "In force",
            "waiting": "Needs a second person",
            "ended": "Over",
            "lapsed": "Never approved",
        }[self.state]

    @property
    def factor(self) -> str:
        return f"{self.row.amount_ppm / MILLION:g} times" if self.row.amount_ppm else ""


def shown(rows: Iterable[Override], now: int, *, user: User, approves: bool) -> list[Shown]:
    """``approves``: whether this person's role lets them agree to what others ask for."""
    return [
        Shown(
            row=row,
            measure=MEASURES[row.kind],
            state=state,
            until=_at(row.expires_at),
            ended=_at(row.ended_at or row.expires_at),
            may_approve=approves and state == "waiting" and row.asked_by_id != user.pk,
        )
        for row in rows
        for state in (state_of(row, now),)
    ]


def _at(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / MILLION, UTC)
