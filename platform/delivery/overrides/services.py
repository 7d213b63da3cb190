"""How does an emergency measure begin and end? One person narrows; what widens takes two.

Each change is posted to every ring of the environment at once: gateways enforce it within a second.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from typing import Any, Protocol, cast

from django.db import transaction
from django.utils import timezone

from coordination.bundle.overrides import LONGEST, MAX_OVERRIDES, REST, WIDENING, OverrideKind, fault
from coordination.bundle.overrides import Override as Statement
from coordination.program.records import MILLION
from delivery.models import Override
from delivery.overrides import subjects
from delivery.overrides.standing import LAPSES, last_raised, now_us, rows_in_force
from delivery.permissions import require_releaser, require_second
from delivery.pointers import advance
from fleet.models import Environment
from fleet.selectors import rings
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Conflict, FieldError, Forbidden, Invalid, Refused
from foundation.locking import locked
from policies.services import open_change_set, put_operation


class Deed(Protocol):
    """What is done to an override that exists: ``approve``, ``lift``."""

    def __call__(self, *, actor: Actor, environment: Environment, override: Override) -> Override: ...


@transaction.atomic
def begin(
    *,
    actor: Actor,
    environment: Environment,
    kind: str,
    subject: str,
    lasts: int,
    reason: str,
    amount_ppm: int | None = None,
) -> Override:
    """Put a measure in force for ``lasts`` seconds; or, if it widens, ask for it.

    Raises ``Invalid`` (``malformed_override``, ``override_out_of_bounds``, ``unknown_subject``),
    ``Refused`` (``too_many_overrides``, ``override_renewed``, ``already_in_force``), ``Forbidden``.
    """
    require_releaser(actor, environment.name)
    _lock(environment)
    now = now_us()
    row = Override(
        id=f"ovr_{b32encode(secrets.token_bytes(17)).decode().lower()[:26]}",
        environment=environment,
        kind=kind,
        subject=subject,
        amount_ppm=amount_ppm,
        reason=reason,
        lasts=lasts,
        asked_at=timezone.now(),
        asked_by_id=person_behind(actor),
        asked_by_name=name_of(actor)[:150],
    )
    _require_sound(row, now)
    subjects.require_known(environment.name, kind, subject)
    _require_room(environment, row, now)
    widens = kind in WIDENING
    if widens:
        _require_rested(environment, row, now)
    else:
        row.issued_at, row.expires_at = now, now + lasts * MILLION
    row.save(force_insert=True)
    _record(actor, "override.asked" if widens else "override.begun", row)
    if not widens:
        _post(environment)
    return row


@transaction.atomic
def approve(*, actor: Actor, environment: Environment, override: Override) -> Override:
    """A second person agrees: it is in force from now, and a change set that would make it last is opened.

    Raises ``Forbidden`` (``second_person_needed``) for whoever asked; ``Conflict`` (``not_waiting``,
    ``override_lapsed``), ``Refused`` (``override_renewed``, ``too_many_overrides``).
    """
    require_second(actor, environment.name)
    _lock(environment)
    row = locked(Override.objects.filter(pk=override.pk)).get()
    now = now_us()
    if row.issued_at is not None or row.ended_at is not None:
        raise Conflict("not_waiting", f"{row.id} does not wait for approval.", kind="Override", name=row.id)
    if now > int(row.asked_at.timestamp() * MILLION) + LAPSES:
        raise Conflict(
            "override_lapsed", f"{row.id} was asked for too long ago.", kind="Override", name=row.id
        )
    person = person_behind(actor)
    if person is None or person == row.asked_by_id or name_of(actor) == row.asked_by_name:
        raise Forbidden(
            "second_person_needed", "Whoever asked for it cannot approve it.", kind="Override", name=row.id
        )
    _require_rested(environment, row, now)
    _require_room(environment, row, now)
    row.issued_at, row.expires_at = now, now + row.lasts * MILLION
    row.approved_by_id, row.approved_by_name = person, name_of(actor)[:150]
    row.change_set_id = _propose(environment, row)
    row.save()
    _record(actor, "override.approved", row)
    _post(environment)
    return row


@transaction.atomic
def lift(*, actor: Actor, environment: Environment, override: Override) -> Override:
    """End a measure before its time, or give up one that was asked for. Again: nothing happens."""
    require_releaser(actor, environment.name)
    _lock(environment)
    row = locked(Override.objects.filter(pk=override.pk)).get()
    now = now_us()
    if row.ended_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return row
    row.ended_at, row.ended_by_name = now, name_of(actor)[:150]
    row.save(update_fields=["ended_at", "ended_by_name"])
    _record(actor, "override.lifted", row)
    if row.issued_at is not None:
        _post(environment)
    return row


def _post(environment: Environment) -> None:
    """Every ring that runs something hears of it; one that does not, with its first release."""
    for ring in rings(environment.name).select_related("environment", "pointer"):
        if getattr(ring, "pointer", None) is not None:
            advance(ring=ring, reason="override")


def _lock(environment: Environment) -> None:
    """One at a time: what there is room for must hold."""
    locked(Environment.objects.filter(pk=environment.pk)).get()


def _require_sound(row: Override, now: int) -> None:
    """Held to what a gateway would hold it to."""
    if row.kind not in LONGEST:
        raise Invalid("malformed_override", f"There is no kind `{row.kind[:30]}`.")
    trial = Statement(
        id=row.id,
        kind=cast(OverrideKind, row.kind),
        subject=row.subject,
        issued_at=now,
        expires_at=now + max(1, row.lasts) * MILLION,
        reason=row.reason,
        by=row.asked_by_name,
        amount_ppm=row.amount_ppm,
        approved_by="somebody else, later" if row.kind in WIDENING else None,
    )
    found = fault(trial)
    if found is not None:
        field = found.json_pointer.replace("expires_at", "lasts")
        raise Invalid(
            found.code,
            f"{found.message[:1].upper()}{found.message[1:]}.",
            errors=[FieldError(field, found.code, found.message)],
        )


def _require_room(environment: Environment, row: Override, now: int) -> None:
    held = list(rows_in_force(environment.name, now))
    same = next((one for one in held if (one.kind, one.subject) == (row.kind, row.subject)), None)
    if same is not None and row.kind != "wake_pool":
        raise Refused(
            "already_in_force", f"{same.id} does that already: lift it first.", status=409,
            kind="Override", name=same.id,
        )  # fmt: skip
    if len(held) >= MAX_OVERRIDES:
        raise Refused("too_many_overrides", f"{MAX_OVERRIDES} at once are all there may be.", status=409)


def _require_rested(environment: Environment, row: Override, now: int) -> None:
    """``Refused`` (``override_renewed``) within a day of when the last raise of this limit was to end."""
    last = last_raised(environment.name, row.subject)
    if last is not None and last.expires_at is not None and now < last.expires_at + REST:
        raise Refused(
            "override_renewed",
            f"{last.id} raised this limit; not again within a day of its end. What is to last is a change "
            "of the policy.",
            status=409,
            kind="Override",
            name=last.id,
        )


def _propose(environment: Environment, row: Override) -> int | None:
    """A change set in which the limit is as high for good, by whoever asked; nobody has to merge it."""
    raised = subjects.raised_quota(environment.name, row.subject, row.amount_ppm or MILLION)
    if raised is None or row.asked_by is None:
        return None
    name, digest, body = raised
    author: Any = row.asked_by
    reason = f"{row.id} raised {row.subject} for {row.lasts // 60} min ({row.reason}): is it to last?"
    change_set = open_change_set(actor=author, environment=environment.name, reason=reason)
    put_operation(actor=author, change_set=change_set, kind="Quota", name=name, body=body, base_digest=digest)
    return change_set.pk


def _record(actor: Actor, action: str, row: Override) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_kind="Override",
        object_name=row.id,
        environment=row.environment_id,
        details={
            "kind": row.kind,
            "subject": row.subject,
            "amount_ppm": row.amount_ppm,
            "lasts": row.lasts,
            "reason": row.reason,
            "expires_at": row.expires_at,
            "change_set": row.change_set_id,
        },
    )
