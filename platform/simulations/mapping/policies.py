"""Which compiled policy does somebody mean: what is current, released, proposed, or still in their files?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from coordination.bundle.tree import EMPTY
from coordination.diagnostics import has_errors
from coordination.program.records import ProgramRecords
from coordination.simulator import Promise
from coordination.simulator.study import digest_of
from coordination.spec import SourceFile
from foundation.http import FieldError, Invalid, NotFound
from foundation.offload import OFFLOAD
from policies import selectors as policy
from policies.mapping import findings, sets
from policies.mapping.proposals import edits_of, outstanding
from policies.models import ChangeSet, Revision
from simulations import selectors
from simulations.compiling import Compiled, compile_bodies, compile_files

IN_PROCESS = 500
"""Documents that are compiled in this process: above, the event loop would feel it."""
SOURCES = ("current", "released", "revision", "change_set", "documents")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as it is asked for."""

    source: str
    """One of ``SOURCES``."""
    revision: str = ""
    change_set: int | None = None
    files: tuple[SourceFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The policy that is meant."""

    records: ProgramRecords
    source: str
    label: str
    revision: str = ""
    """What it is, or what it was put on top of."""
    change_set: ChangeSet | None = None
    head_digest: str = ""
    objectives: tuple[Promise, ...] = ()
    gates: tuple[Promise, ...] = ()

    @property
    def digest(self) -> str:
        return digest_of(self.records)

    @property
    def body(self) -> bytes:
        return msgspec.json.encode(self.records)


def choose(wanted: Wanted, environment: str, at: int, pointer: str) -> Chosen:
    """Compiled for ``environment`` at an instant (microseconds).

    Raises ``NotFound``, ``Conflict`` (``stale_edit``), ``Invalid`` (``unsound_policy``, ``unknown_policy``);
    ``pointer`` is where the caller named it.
    """
    if wanted.source == "documents":
        return _of_files(wanted.files, environment, at)
    if wanted.source == "change_set":
        return _of_change_set(wanted.change_set, environment, at)
    revision = _revision(wanted, environment, pointer)
    return _of_revision(revision, environment, at, wanted.source)


def _revision(wanted: Wanted, environment: str, pointer: str) -> Revision:
    digest = wanted.revision
    if wanted.source == "current":
        current = policy.current_revision(environment)
        if current is None:
            raise _unknown(pointer, f"Nothing was merged into `{environment}` yet.")
        return current
    if wanted.source == "released":
        released = selectors.released(environment)
        if released is None:
            raise _unknown(pointer, f"Nothing was released to `{environment}` yet.")
        digest = released.revision
    elif wanted.source != "revision":
        raise _unknown(pointer, f"`source` is one of {', '.join(SOURCES)}.")
    found = policy.revision(digest)
    if found is None or found.environment != environment:
        raise NotFound(
            "not_found", f"`{environment}` has no revision {digest[:80]}.", kind="Revision", name=digest[:80]
        )
    return found


def _of_revision(revision: Revision, environment: str, at: int, source: str) -> Chosen:
    stored = sets.stored_set(revision.root_tree_id)
    label = f"revision {revision.number}" + ("" if source == "revision" else f" ({source})")
    return _chosen(_compiled(stored, environment, at), source, label, revision.digest)


def _of_change_set(number: int | None, environment: str, at: int) -> Chosen:
    """With its operations on top of what is current; once merged, what the merge made."""
    found = policy.change_set(number) if number is not None and number <= selectors.LARGEST_ID else None
    if found is None or found.environment != environment:
        raise NotFound(
            "not_found",
            f"`{environment}` has no change set {number}.",
            kind="ChangeSet",
            name=str(number),
        )
    label = f"change set {found.pk}"
    made = found.revisions.order_by("number").last() if found.state == ChangeSet.State.MERGED else None
    if made is not None:
        compiled = _compiled(sets.stored_set(made.root_tree_id), environment, at)
        return _chosen(compiled, "change_set", label, made.digest, found, found.head_digest)
    base = policy.current_revision(environment)
    edits = edits_of(found)
    todo = outstanding(edits, policy.digests(environment, [edit.key for edit in edits]))
    stored = sets.stored_set(base.root_tree_id if base else EMPTY)
    after = stored.with_edits({edit.key: edit.document for edit in todo})
    digest = base.digest if base else ""
    compiled = _compiled(after, environment, at)
    return _chosen(compiled, "change_set", label, digest, found, found.head_digest)


def _of_files(files: tuple[SourceFile, ...], environment: str, at: int) -> Chosen:
    large = sum(len(file.text) for file in files) > IN_PROCESS * 1000
    run = OFFLOAD.run if large else lambda function, *given: function(*given)
    compiled = run(compile_files, list(files), environment, at)
    count = len(files)
    return _chosen(compiled, "documents", f"{count} file{'' if count == 1 else 's'} as sent")


def _compiled(stored: sets.Stored, environment: str, at: int) -> Compiled:
    if stored.broken:
        raise findings.unsound([each for broken in stored.broken.values() for each in broken], {})
    bodies = [document.canonical() for document in stored.documents.values()]
    if len(bodies) > IN_PROCESS:
        return OFFLOAD.run(compile_bodies, bodies, environment, at)
    return compile_bodies(bodies, environment, at)


def _chosen(
    compiled: Compiled,
    source: str,
    label: str,
    revision: str = "",
    change_set: ChangeSet | None = None,
    head_digest: str = "",
) -> Chosen:
    """Raises ``Invalid`` (``unsound_policy``)."""
    records, found = compiled.records, list(compiled.found)
    if records is None or has_errors(found):
        raise findings.unsound(found, {})
    promises = (compiled.objectives, compiled.gates)
    return Chosen(records, source, label, revision, change_set, head_digest, *promises)


def _unknown(pointer: str, says: str) -> Invalid:
    return Invalid("unknown_policy", says, errors=[FieldError(pointer, "unknown_policy", says)])
