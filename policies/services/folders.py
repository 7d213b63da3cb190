"""How does a folder of files become current? Planned, then merged through the one door."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from coordination.diagnostics import has_errors
from coordination.spec import SourceFile
from foundation.actors import Actor
from foundation.http import Conflict
from policies import selectors
from policies.mapping import findings
from policies.models import Revision
from policies.permissions import require_editor
from policies.services.environments import create_environment
from policies.services.merging import Proposal, land
from policies.services.plans import Plan, plan

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def apply(
    *,
    actor: Actor,
    environment: str,
    files: Iterable[SourceFile],
    plan_digest: str,
    prune: bool = False,
    reason: str = "",
) -> Revision | None:
    """Do what the plan of this digest said, or nothing: ``Conflict`` (``base_moved``) if it differs now.

    Returns the revision that holds the documents; None when there was nothing to do and never had been.
    """
    require_editor(actor, environment)
    planned = plan(actor=actor, environment=environment, files=files, prune=prune)
    if planned.digest != plan_digest:
        raise Conflict(
            "base_moved",
            "The environment or the files have changed since this was planned: plan again.",
            kind="Environment",
            name=environment,
            extra={"plan": planned.as_json()},
        )
    return _merge(actor, planned, reason)


def load_folder(
    *,
    actor: Actor,
    environment: str,
    folder: Path,
    reason: str = "",
    prune: bool = False,
    only_when_empty: bool = False,
) -> Revision | None:
    """Have the documents of ``folder`` current, creating the environment if need be.

    Loading the same again makes no revision. With ``only_when_empty``, an environment that already has
    a revision is left as it is: what people edited since is not undone by the next start. Returns the
    revision the environment is at; None only for an empty folder in an empty environment.
    """
    create_environment(actor=actor, environment=environment)
    current = selectors.current_revision(environment)
    if only_when_empty and current is not None:
        return current
    files = read_files(folder)
    return _merge(actor, plan(actor=actor, environment=environment, files=files, prune=prune), reason)


def read_files(folder: Path) -> list[SourceFile]:
    """Every policy file under ``folder``, hidden ones left out, named by its path from there."""
    found = {
        path.relative_to(folder): path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and path.is_file()
    }
    return [
        SourceFile(name.as_posix(), found[name].read_bytes())
        for name in sorted(found)
        if not any(part.startswith(".") for part in name.parts)
    ]


def _merge(actor: Actor, planned: Plan, reason: str) -> Revision | None:
    if has_errors(planned.diagnostics):
        edited = {edit.key: edit.document for edit in planned.edits if edit.document}
        raise findings.unsound(planned.diagnostics, edited)
    if not planned.edits:
        return selectors.current_revision(planned.environment)
    proposal = Proposal(planned.environment, planned.edits, reason, pinned=True, base=planned.base)
    return land(actor, proposal)
