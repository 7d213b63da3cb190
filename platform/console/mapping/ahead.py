"""Do the documents say more than the gateways run, why, and what would bring the two together?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from console.mapping.comparing import Changed, changed_objects
from console.mapping.kinds import BY_NAME, Kind
from coordination.bundle.tree import EMPTY
from delivery import trust
from delivery.models import Release
from policies import selectors
from policies.models import Build, Revision

Cause = Literal["rolled_back", "unsigned", "on_its_way"]
MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Ahead:
    """The documents' revision is not the one that is released."""

    revision: Revision
    """Where the documents are."""
    released: Revision | None
    """Whose bundle the newest release carries; None while nothing is released."""
    release: Release | None
    cause: Cause
    again: Release | None
    """The newest release that carried ``revision``, to which one can go; None when none did."""
    changes: tuple[tuple[Kind | None, Changed], ...]
    """The objects that differ, at most ``MOST_NAMED``."""
    more: int
    """Objects that differ beyond those."""


def ahead(environment: str) -> Ahead | None:
    """How the documents are ahead of what is released; None when they say the same."""
    revision = selectors.current_revision(environment)
    release = Release.objects.filter(environment=environment).first()
    if revision is None:
        return None
    bundles = [build.bundle_id for build in Build.objects.filter(revision=revision, environment=environment)]
    if release is not None and release.bundle in bundles:
        return None
    released = _revision_of(release) if release is not None else None
    root = released.root_tree_id if released is not None else EMPTY
    changes = changed_objects(root, revision.root_tree_id)
    if not changes:
        return None
    return Ahead(
        revision=revision,
        released=released,
        release=release,
        cause=_cause(release, bundles),
        again=Release.objects.filter(environment=environment, bundle__in=bundles).first(),
        changes=tuple((BY_NAME.get(each.kind), each) for each in changes[:MOST_NAMED]),
        more=max(0, len(changes) - MOST_NAMED),
    )


def _revision_of(release: Release) -> Revision | None:
    builds = Build.objects.filter(bundle=release.bundle, environment=release.environment_id)
    build = builds.select_related("revision").order_by("-revision__number").first()
    return build.revision if build is not None else None


def _cause(release: Release | None, bundles: list[str]) -> Cause:
    if bundles and not any(map(trust.is_signed, bundles)):
        return "unsigned"
    return "rolled_back" if bundles and release is not None and release.rollback_of else "on_its_way"
