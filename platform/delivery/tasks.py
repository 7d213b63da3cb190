"""What makes delivery act? A bundle was built, a directory changed; and sweeps, so that no loss lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Max

from delivery import directories, heartbeats, releases, timelines, trust
from delivery.overrides.standing import is_frozen, was_frozen
from delivery.trust import NoTrust
from fleet.models import Environment
from foundation.actors import SYSTEM
from foundation.locking import locked
from foundation.outbox import subscribe as on
from policies import selectors as policy
from policies.models import Bundle, Revision


@shared_task(name="delivery.renew_pointers")
def renew_pointers() -> int:
    """Renew every pointer past half of its life."""
    try:
        return heartbeats.renew_due()
    except NoTrust:
        return 0  # the key is elsewhere: another process renews


@shared_task(name="delivery.refresh_directories")
def refresh_directories() -> int:
    """Post every directory that is behind the keys; returns how many were."""
    names = Environment.objects.values_list("name", flat=True)
    return sum(directories.refresh(environment=name) for name in names)


@shared_task(name="delivery.note_progress")
def note_progress() -> None:
    """Close the releases that every gateway has answered; make those that a freeze held back."""
    for environment in Environment.objects.all():
        with transaction.atomic():
            releases.note_progress(environment=environment)
        _release_what_waited(environment)


@shared_task(name="delivery.carry_timelines_on")
def carry_timelines_on() -> None:
    """Build what runs anew where its timeline began before today."""
    for environment in Environment.objects.all():
        timelines.carry_on(environment=environment)


def subscribe() -> None:
    """Called once, when Django is ready."""
    on("policies.built")(_built)
    on("tenancy.directory_changed")(_directory_changed)


def _built(payload: Mapping[str, Any]) -> None:
    """Sign what was built, and release it if that moves the environment on.

    The event may come twice, and late: what is older than what was released of its own accord stays
    unreleased, and neither a repeat nor a refreshed timeline undoes a rollback. While releases are frozen
    it waits.
    """
    environment = Environment.objects.get(name=payload["environment"])
    bundle = Bundle.objects.get(digest=payload["bundle"])
    revision = Revision.objects.get(pk=payload["revision"])
    trust.sign_bundle(digest=bundle.digest, manifest=bytes(bundle.manifest))
    if not trust.is_signed(bundle.digest):
        return  # waits for people's signatures; `headway sign` releases it
    _release_if_newer(environment, revision, bundle)


def _release_what_waited(environment: Environment) -> None:
    """After a freeze, the newest build of what is current, as if it had just been built."""
    if not was_frozen(environment.name):
        return
    current = policy.current_revision(environment.name)
    build = policy.newest_build(current) if current is not None else None
    if current is not None and build is not None and trust.is_signed(build.bundle_id):
        _release_if_newer(environment, current, build.bundle)


def _release_if_newer(environment: Environment, revision: Revision, bundle: Bundle) -> None:
    with transaction.atomic():
        locked(Environment.objects.filter(pk=environment.pk)).get()
        if not is_frozen(environment.name) and _moves_on(environment, revision, bundle):
            releases.publish(
                actor=SYSTEM,
                environment=environment,
                bundle=bundle.digest,
                revision=revision.digest,
                reason=revision.change_set.reason[:300],
            )


def _moves_on(environment: Environment, revision: Revision, bundle: Bundle) -> bool:
    newest = environment.releases.first()
    if newest is None:
        return True
    at = dict(revision.builds.values_list("bundle", "at"))
    if newest.bundle in at:  # this revision runs: a later build carries its timeline on
        return at[bundle.digest] > at[newest.bundle]
    released = environment.releases.exclude(revision="").values("revision")
    numbers = Revision.objects.filter(pk__in=released).aggregate(newest=Max("number"))
    return revision.number > (numbers["newest"] or 0)


def _directory_changed(payload: Mapping[str, Any]) -> None:
    directories.refresh(environment=payload["environment"])
