"""Which overrides does an environment have in force, and is it frozen by one? Reads only."""

from __future__ import annotations

import time
from typing import Literal, cast, get_args

from django.db.models import F, Q, QuerySet

from coordination.bundle.overrides import DAY, MAX_OVERRIDES, OverrideKind
from coordination.bundle.overrides import Override as Statement
from coordination.program.records import MILLION
from delivery.models import Override
from foundation.http import NotFound, Refused

LAPSES = DAY
"""What nobody approved within a day of being asked for is void; microseconds."""
State = Literal["waiting", "in_force", "ended", "lapsed"]
STATES: tuple[State, ...] = get_args(State)


def now_us() -> int:
    return time.time_ns() // 1000


def rows_in_force(environment: str, now: int) -> QuerySet[Override]:
    """Those that a pointer signed at ``now`` carries, the oldest first."""
    found = Override.objects.filter(environment=environment, issued_at__isnull=False, expires_at__gt=now)
    return found.filter(ended_at=None).order_by("issued_at", "id")


def in_force(environment: str, now: int) -> tuple[Statement, ...]:
    """As a pointer says it."""
    return tuple(statement_of(row) for row in rows_in_force(environment, now)[:MAX_OVERRIDES])


def statement_of(row: Override) -> Statement:
    """Raises ``ValueError`` for one that is not in force yet."""
    if row.issued_at is None or row.expires_at is None:
        raise ValueError(f"{row.pk} waits for a second person")
    return Statement(
        id=row.id,
        kind=cast(OverrideKind, row.kind),
        subject=row.subject,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        reason=row.reason,
        by=row.asked_by_name,
        amount_ppm=row.amount_ppm,
        approved_by=row.approved_by_name or None,
    )


def state_of(row: Override, now: int) -> State:
    if row.issued_at is None or row.expires_at is None:
        if row.ended_at is None:
            lapsed = now > int(row.asked_at.timestamp() * MILLION) + LAPSES
            return "lapsed" if lapsed else "waiting"
        return "ended"
    return "in_force" if row.ended_at is None and now < row.expires_at else "ended"


def override(environment: str, override_id: str) -> Override:
    """Raises ``NotFound`` (``unknown_override``)."""
    found = Override.objects.filter(environment=environment, pk=override_id).first()
    if found is None:
        raise NotFound("unknown_override", f"There is no override {override_id} in `{environment}`.")
    return found


def is_frozen(environment: str) -> bool:
    return rows_in_force(environment, now_us()).filter(kind="freeze_releases").exists()


def was_frozen(environment: str) -> bool:
    """Is there a freeze whose end came since the newest release, or may have?"""
    ended = Override.objects.filter(environment=environment, kind="freeze_releases")
    return ended.filter(Q(ended_at__isnull=False) | Q(expires_at__lte=now_us())).exists()


def require_thawed(environment: str) -> None:
    """``Refused`` (``releases_frozen``) while a freeze is in force, with its name and reason."""
    frozen = rows_in_force(environment, now_us()).filter(kind="freeze_releases").first()
    if frozen is not None:
        raise Refused(
            "releases_frozen",
            f"Releases of `{environment}` are frozen by {frozen.id} ({frozen.reason}). "
            "A rollback is not stopped by that.",
            status=409,
            retryable=True,
            kind="Override",
            name=frozen.id,
        )


def last_raised(environment: str, subject: str) -> Override | None:
    """The raise of this limit that was to end last."""
    raised = Override.objects.filter(environment=environment, kind="raise_limit", subject=subject)
    return raised.filter(issued_at__isnull=False).order_by(F("expires_at").desc()).first()
