"""How does a bundle reach the gateways, and how is that taken back? One stage for each ring."""

from __future__ import annotations

import time

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from delivery import directories, trust
from delivery.models import GatewayState, Release, Stage
from delivery.overrides.standing import require_thawed
from delivery.permissions import require_releaser
from delivery.pointers import Movement, Reason, advance
from fleet.models import Environment
from fleet.selectors import active_gateways, rings
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Conflict, Refused
from foundation.locking import locked
from foundation.outbox import emit
from policies.models import Bundle
from telemetry.live.messages import Happened
from telemetry.live.notice import tell


@transaction.atomic
def publish(
    *,
    actor: Actor,
    environment: Environment,
    bundle: str,
    reason: str = "",
    revision: str = "",
    after: int | None = None,
) -> Release:
    """Release ``bundle`` to every ring.

    ``revision`` is noted when its build is released of its own accord. With ``after``, only while that
    is still the newest version. Raises ``Refused``: ``unknown_bundle``, ``wrong_environment``,
    ``bundle_unsigned``, ``release_moved``, ``releases_frozen``; ``Forbidden``.
    """
    require_releaser(actor, environment.name)
    _lock(environment)
    _require_newest(environment, after)
    require_thawed(environment.name)
    return _release(
        actor=actor,
        environment=environment,
        bundle=bundle,
        reason=reason,
        cause="refresh" if revision and _was_released(environment, revision) else "publish",
        revision=revision,
    )


@transaction.atomic
def rollback(
    *,
    actor: Actor,
    environment: Environment,
    to_version: int | None = None,
    reason: str = "",
    after: int | None = None,
) -> Release:
    """A new release with the bundle of ``to_version``, or of the last release that ran another bundle.

    The directory stays the current one: a revoked key stays revoked. A freeze does not stop it. With
    ``after``, only while that is still the newest version. Raises ``Refused``: ``nothing_to_roll_back``,
    ``unknown_version``, ``release_moved``; ``Forbidden``.
    """
    require_releaser(actor, environment.name)
    _lock(environment)
    newest = _require_newest(environment, after)
    if newest is None:
        raise Refused("nothing_to_roll_back", "Nothing was released here yet.", status=409)
    earlier = Release.objects.filter(environment=environment, version__lt=newest.version)
    if to_version is None:
        target = earlier.exclude(bundle=newest.bundle).exclude(state=Release.State.REFUSED).first()
        if target is None:
            raise Refused("nothing_to_roll_back", "No earlier release ran another bundle.", status=409)
    else:
        target = earlier.filter(version=to_version).first()
        if target is None:
            raise Refused(
                "unknown_version",
                f"There is no release {to_version} before {newest.version} in {environment.name}.",
                status=404,
            )
    return _release(
        actor=actor,
        environment=environment,
        bundle=target.bundle,
        reason=reason,
        cause="rollback",
        rollback_of=target.version,
    )


@transaction.atomic
def note_progress(*, environment: Environment) -> None:
    """Close the stages, and then the release, that every gateway has answered. Called after statuses."""
    release = locked(Release.objects.filter(environment=environment, state=Release.State.RUNNING)).first()
    if release is None:
        return
    said = {
        row.gateway_id: row for row in GatewayState.objects.filter(gateway__ring__environment=environment)
    }
    now = timezone.now()
    states = []
    for stage in release.stages.select_related("ring"):
        gateways = [g.id for g in active_gateways(environment.name) if g.ring_id == stage.ring_id]
        answers = [said.get(gateway) for gateway in gateways]
        if any(_refuses(answer, release.bundle) for answer in answers):
            stage.state = Stage.State.REFUSED
        elif gateways and all(a is not None and a.applied == release.bundle for a in answers):
            stage.state = Stage.State.DONE
        else:
            states.append(stage.state)
            continue
        stage.ended_at = now
        stage.save(update_fields=["state", "ended_at"])
        states.append(stage.state)
    if Stage.State.REFUSED in states:
        release.state = Release.State.REFUSED
    elif Stage.State.RUNNING not in states:
        release.state = Release.State.DONE
    else:
        return
    release.ended_at = now
    release.save(update_fields=["state", "ended_at"])


def _refuses(answer: GatewayState | None, bundle: str) -> bool:
    """It was told of this bundle, tried it, and runs another because of a coded refusal."""
    return (
        answer is not None
        and answer.state == "rejected"
        and answer.attempted == bundle
        and answer.applied != bundle
    )


def _lock(environment: Environment) -> None:
    """Releases of one environment are made one after the other."""
    locked(Environment.objects.filter(pk=environment.pk)).get()


def _require_newest(environment: Environment, after: int | None) -> Release | None:
    """The newest release; ``Conflict`` if the caller looked at another."""
    newest = Release.objects.filter(environment=environment).first()
    if after is not None and after != (newest.version if newest else 0):
        raise Conflict(
            "release_moved",
            f"`{environment.name}` is at release {newest.version if newest else 0} by now, not at {after}.",
            kind="Environment",
            name=environment.name,
        )
    return newest


def _was_released(environment: Environment, revision: str) -> bool:
    return Release.objects.filter(environment=environment, revision=revision).exists()


def _release(
    *,
    actor: Actor,
    environment: Environment,
    bundle: str,
    reason: str,
    cause: Reason,
    rollback_of: int | None = None,
    revision: str = "",
) -> Release:
    """In the caller's transaction, which holds the environment."""
    stored = Bundle.objects.filter(digest=bundle).only("environment").first()
    if stored is None:
        raise Refused("unknown_bundle", f"There is no bundle {bundle}.", status=404)
    if stored.environment != environment.name:
        raise Conflict("wrong_environment", f"That bundle was built for `{stored.environment}`.")
    if not trust.is_signed(bundle):
        raise Refused(
            "bundle_unsigned",
            "Too few keys of the bundle role have signed this bundle: sign it with `headway sign`.",
            status=409,
        )
    now = timezone.now()
    # Releases before stages, as in ``note_progress``: two that lock in one order cannot deadlock.
    running = list(
        locked(Release.objects.filter(environment=environment, state=Release.State.RUNNING)).values_list(
            "pk", flat=True
        )
    )
    Release.objects.filter(pk__in=running).update(state=Release.State.SUPERSEDED, ended_at=now)
    Stage.objects.filter(release__in=running, state=Stage.State.RUNNING).update(
        state=Stage.State.SUPERSEDED, ended_at=now
    )
    newest = Release.objects.filter(environment=environment).aggregate(version=Max("version"))["version"]
    release = Release.objects.create(
        environment=environment,
        version=(newest or 0) + 1,
        bundle=bundle,
        rollback_of=rollback_of,
        revision=revision,
        reason=reason,
        actor_id=person_behind(actor),
        actor_name=name_of(actor),
        created_at=now,
    )
    current = directories.current(environment)
    movement = Movement(version=release.version, bundle=bundle, directory=current, rollback_of=rollback_of)
    for position, ring in enumerate(rings(environment.name).select_related("environment")):
        Stage.objects.create(release=release, position=position, ring=ring)
        advance(ring=ring, reason=cause, movement=movement)
    told = {"environment": environment.name, "version": release.version, "bundle": bundle}
    emit("delivery.released", told)
    facts = {"version": release.version, "label": f"release {release.version}"}
    tell(Happened(environment.name, "releases", "released", time.time_ns() // 1_000_000, facts))
    audit.record(
        actor=actor,
        action=f"release.{'rolled_back' if cause == 'rollback' else 'published'}",
        object_kind="Release",
        object_name=str(release.version),
        environment=environment.name,
        details={"bundle": bundle, "rollback_of": rollback_of, "reason": reason},
    )
    return release
