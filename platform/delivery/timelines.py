"""Does what runs know enough of the days to come? Each midnight the same revision is built anew.

``policies`` does that for what is current. After a rollback something else runs, and that is ours to see
to: the build is announced like any other, and released because it is of the revision that runs.
"""

from __future__ import annotations

from fleet.models import Environment
from policies.models import Build, Bundle
from policies.services import build_revision


def carry_on(*, environment: Environment) -> Bundle | None:
    """Today's build of the revision that runs in ``environment``; ``None`` before the first release."""
    newest = environment.releases.first()
    if newest is None:
        return None
    build = Build.objects.filter(bundle=newest.bundle).select_related("revision").order_by("-id").first()
    return None if build is None else build_revision(revision=build.revision)
