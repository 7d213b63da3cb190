"""How does a calibrated profile come in, and go? Read as the command line reads it before it is kept."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from coordination.capacity import Profile
from coordination.capacity.profile_file import LARGEST, ProfileFileError, profile_digest, read_profile
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Conflict, FieldError, Invalid, Refused
from foundation.locking import locked
from policies.services.environments import require_environment
from simulations import selectors
from simulations.models import OPEN, Simulation, StoredProfile
from simulations.permissions import require_simulator

MOST_KEPT = 200
"""Profiles of one environment."""


def upload_profile(*, actor: Actor, environment: str, chunks: Iterable[bytes]) -> tuple[StoredProfile, bool]:
    """Keep the file that ``chunks`` hold, and whether it is new: the same profile again is the one that is
    there, whatever else its file says.

    Raises ``Invalid`` (``unreadable_profile`` with the faults by field); ``Refused``: ``profile_too_large``
    (413), ``no_room`` (507).
    """
    require_simulator(actor, environment)
    require_environment(environment)
    body = _received(chunks)
    try:
        profile = read_profile(body)
    except ProfileFileError as problem:
        errors = [FieldError(fault.pointer, fault.code, fault.message) for fault in problem.faults]
        raise Invalid("unreadable_profile", f"It is {problem}.", errors=errors) from None
    return _kept(actor, environment, profile, body)


@transaction.atomic
def remove_profile(*, actor: Actor, profile: StoredProfile) -> None:
    """Forget it, and its file. Reports stay, and say its digest.

    Raises ``Conflict`` (``profile_in_use``) while a simulation waits for it or is made of it.
    """
    require_simulator(actor, profile.environment)
    held = locked(StoredProfile.objects.filter(pk=profile.pk, removed_at=None)).first()
    if held is None:
        return
    using = Simulation.objects.filter(scenario__made_of__profile=held, state__in=OPEN).first()
    if using is not None:
        raise Conflict(
            "profile_in_use",
            f"Simulation {using.pk} is made of it: cancel that, or wait.",
            kind="Profile",
            name=str(held.pk),
        )
    StoredProfile.objects.filter(pk=held.pk).update(removed_at=timezone.now(), body=b"")
    _record(actor, "simulations.profile_removed", held)


def _received(chunks: Iterable[bytes]) -> bytes:
    """No more of it than a profile may have."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST:
            raise Refused("profile_too_large", f"A profile has at most {LARGEST:,} bytes.", status=413)
    return bytes(body)


@transaction.atomic
def _kept(actor: Actor, environment: str, profile: Profile, body: bytes) -> tuple[StoredProfile, bool]:
    digest = profile_digest(profile)
    there = selectors.profiles(environment)
    if not there.filter(digest=digest).exists() and there.count() >= MOST_KEPT:
        raise Refused(
            "no_room", f"`{environment}` keeps at most {MOST_KEPT} profiles: remove some first.", status=507
        )
    row, made = StoredProfile.objects.get_or_create(
        environment=environment,
        digest=digest,
        removed_at=None,
        defaults={
            "name": profile.name,
            "model": profile.model,
            "accelerator": profile.accelerator,
            "tensor_parallel": profile.tensor_parallel,
            "body": body,
            "author_id": person_behind(actor),
            "author_name": name_of(actor),
            "created_at": timezone.now(),
        },
    )
    if made:
        _record(actor, "simulations.profile_kept", row)
    return row, made


def _record(actor: Actor, action: str, profile: StoredProfile) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_kind="Profile",
        object_name=str(profile.pk),
        environment=profile.environment,
        details={"name": profile.name, "digest": profile.digest},
    )
