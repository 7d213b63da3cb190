"""How does a revision become a bundle? Once: the same revision, day and compiler are the same build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import tzdata
from django.db import transaction
from django.utils import timezone

from coordination.bundle.pack import PackedBundle
from coordination.compiler import COMPILER
from coordination.compiler.emitting import Emitted, emit
from foundation import audit
from foundation.actors import SYSTEM, Actor
from policies import events, selectors, store
from policies.mapping import bundles, findings, sets
from policies.models import Build, Bundle, Revision
from policies.services import clock

IN_PROCESS = 500
"""Documents of a policy that is compiled in this process: above, the event loop would feel it."""

Compile = Callable[[Sequence[bytes], str, int], Emitted]
"""(canonical bodies of the documents, environment, at) -> what they make, in another process."""
_elsewhere: list[Compile] = []


def compile_large_with(compiler: Compile) -> Callable[[], None]:
    """Have policies above ``IN_PROCESS`` documents compiled by ``compiler``; returns how to stop that."""
    _elsewhere.append(compiler)
    return lambda: _elsewhere.remove(compiler)


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
    if len(stored.documents) > IN_PROCESS and _elsewhere:
        bodies = [document.canonical() for document in stored.documents.values()]
        return _elsewhere[-1](bodies, revision.environment, clock.micros(at))
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
            events.built(build)
            audit.record(
                actor=actor,
                action="policies.built",
                object_kind="Bundle",
                object_name=build.bundle_id,
                environment=revision.environment,
                details={"revision": revision.digest, "at": at.isoformat(), "compiler": COMPILER},
            )
    return build.bundle
