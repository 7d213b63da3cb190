"""How does a revision become a bundle? Once: the same revision, day and compiler are the same build."""

from __future__ import annotations

from datetime import datetime

import tzdata
from django.db import transaction
from django.utils import timezone

from coordination.bundle.pack import PackedBundle
from coordination.compiler import COMPILER
from coordination.compiler.emitting import Emitted, emit, emit_bodies
from foundation import audit
from foundation.actors import SYSTEM, Actor
from foundation.offload import OFFLOAD
from policies import events, selectors, store
from policies.mapping import bundles, findings, sets
from policies.models import Build, Bundle, Revision
from policies.services import clock

IN_PROCESS = 500
"""Documents of a policy that is compiled in this process: above, the event loop would feel it."""


def build_revision(*, revision: Revision, at: datetime | None = None, actor: Actor = SYSTEM) -> Bundle:
    """The bundle of a revision whose timeline begins at midnight UTC ``at`` (today's, by default).

    Raises ``Invalid`` (``unsound_policy``) if the compiler refuses what an earlier one accepted.
    """
    at = at or clock.midnight()
    earlier = selectors.build_of(revision, at=at, compiler=COMPILER)
    if earlier is not None:
        return earlier.bundle
    emitted = _compile(revision, at)
    if emitted.bundle is None:
        raise findings.unsound(emitted.diagnostics, {})
    return _keep(actor, revision, at, emitted.bundle)


def build_current(*, environment: str) -> Bundle | None:
    """The bundle of what is current now; None before anything was merged."""
    revision = selectors.current_revision(environment)
    return None if revision is None else build_revision(revision=revision)


def _compile(revision: Revision, at: datetime) -> Emitted:
    stored = sets.stored_set(revision.root_tree_id)
    if stored.broken:
        broken = [diagnostic for found in stored.broken.values() for diagnostic in found]
        raise findings.unsound(broken, {})
    if len(stored.documents) > IN_PROCESS:
        bodies = [document.canonical() for document in stored.documents.values()]
        midnight = clock.micros(at)
        return OFFLOAD.run(emit_bodies, bodies, revision.environment, midnight, tzdata.IANA_VERSION)
    return emit(
        stored.policy_set(),
        environment=revision.environment,
        at=clock.micros(at),
        tzdata=tzdata.IANA_VERSION,
    )


def _keep(actor: Actor, revision: Revision, at: datetime, packed: PackedBundle) -> Bundle:
    """Store the bundle and tell the others; whoever builds the same at the same time finds it stored."""
    now = timezone.now()
    bundle, files = bundles.rows_of(packed, environment=revision.environment, now=now)
    if bundles.root_tree_of(packed.manifest) != revision.root_tree_id:
        raise RuntimeError(f"the bundle was not made of the documents of {revision}")
    with transaction.atomic():
        store.add(files)
        store.add([bundle])
        build, made = Build.objects.get_or_create(
            revision=revision,
            environment=revision.environment,
            at=at,
            compiler=COMPILER,
            defaults={"bundle_id": bundle.digest, "created_at": now},
        )
        if made:
            events.built(build, refresh=revision.builds.exclude(pk=build.pk).exists())
            audit.record(
                actor=actor,
                action="policies.built",
                object_kind="Bundle",
                object_name=build.bundle_id,
                environment=revision.environment,
                details={"revision": revision.digest, "at": at.isoformat(), "compiler": COMPILER},
            )
    return build.bundle
