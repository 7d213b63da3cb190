"""What do other apps hear of policy? Topics, and what each event says."""

from __future__ import annotations

from foundation import outbox
from policies.models import Build, Revision

MERGED = "policies.merged"
"""``{environment, revision}``: the environment is at this revision, or was a moment ago."""
BUILT = "policies.built"
"""``{environment, revision, bundle, refresh}``: this revision's bundle is stored."""


def merged(revision: Revision) -> None:
    payload = {"environment": revision.environment, "revision": revision.digest}
    outbox.emit(MERGED, payload, key=revision.environment)


def built(build: Build, *, refresh: bool) -> None:
    """``refresh``: the revision had been built before, and only its timeline moves on."""
    payload = {
        "environment": build.environment,
        "revision": build.revision_id,
        "bundle": build.bundle_id,
        "refresh": refresh,
    }
    outbox.emit(BUILT, payload, key=build.environment)
