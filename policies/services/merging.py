"""How does a proposal become what is current? This is the only door.

Everything slow (reading, compiling, hashing) happens before the transaction, on top of the revision
that was current then; the transaction is short and begins by moving the environment's head from that
very revision. If somebody else moved it meanwhile, the work is done again on top of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from coordination.bundle.tree import EMPTY, Grown, grow
from coordination.diagnostics import Diagnostic, has_errors
from coordination.program.canonical import canonical_bytes, sha256_digest
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Conflict, FieldError, Invalid
from foundation.locking import locked
from policies import events, selectors, store
from policies.mapping import findings, sets
from policies.mapping.documents import Body, Written, read_body
from policies.mapping.index import head_of, references_of
from policies.mapping.proposals import Edit, edits_of, head_digest, outstanding
from policies.models import ChangeSet, EnvironmentHead, Operation, Revision
from policies.permissions import require_editor
from policies.services import clock
from policies.services.environments import require_environment

TRIES = 8
"""Times a merge starts over when others merge first."""
SHOWN = 200
"""Operations an audit entry lists; the change set holds them all."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be merged. Without a ``change_set`` one is written with the merge itself."""

    environment: str
    edits: Sequence[Edit]
    reason: str = ""
    change_set: ChangeSet | None = None
    pinned: bool = False
    """Refuse to merge onto any revision but ``base``."""
    base: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Everything the transaction writes, worked out beforehand."""

    base: Revision | None
    edits: Sequence[Edit]
    tree: Grown
    result: sets.Stored
    diagnostics: Sequence[Diagnostic] = field(default_factory=tuple)


def merge(*, actor: Actor, change_set: ChangeSet, head_digest: str | None = None) -> Revision:
    """Make the change set's operations current; returns the revision that holds them.

    ``head_digest`` is what the author looked at; None does not ask. Raises ``Conflict``: ``stale_edit``
    (somebody changed the same object), ``change_set_ended``, ``change_set_moved`` (edited meanwhile);
    ``Invalid`` (``unsound_policy``) with what would be wrong.
    """
    require_editor(actor, change_set.environment)
    change_set.refresh_from_db()
    if change_set.state != ChangeSet.State.OPEN:
        raise ended(change_set)
    if head_digest is not None and head_digest != change_set.head_digest:
        raise moved(change_set)
    edits = edits_of(change_set)
    return land(actor, Proposal(change_set.environment, edits, change_set.reason, change_set))


def save_document(
    *,
    actor: Actor,
    environment: str,
    kind: str,
    name: str,
    body: Body | None,
    base_digest: str | None,
    reason: str = "",
) -> Revision:
    """Write (or, without a body, delete) one object at once: a change set of one operation, merged.

    ``base_digest`` is the digest of what the author saw, None for an object that did not exist.
    Raises as ``merge`` does, and ``Invalid`` (``invalid_document``) with the errors of each field.
    """
    require_editor(actor, environment)
    require_environment(environment)
    if body is None:
        written = None
    else:
        written = read_as(body, environment=environment, kind=kind, name=name)
    return land(actor, Proposal(environment, [Edit(kind, name, base_digest, written)], reason))


def read_as(body: Body, *, environment: str, kind: str, name: str) -> Written:
    """``body`` as the document of this kind and name, for this environment."""
    written = read_body(body, source=f"{kind}/{name}")
    document = written.value
    errors = []
    if document.kind != kind:
        errors.append(FieldError("/kind", "wrong_object", f"this is the place of a {kind}"))
    if document.name != name:
        errors.append(FieldError("/metadata/name", "wrong_object", f"this is the place of `{name}`"))
    if not document.applies_in(environment):
        errors.append(
            FieldError("/metadata/environments", "wrong_environment", f"does not name `{environment}`")
        )
    if errors:
        raise Invalid(
            "invalid_document", "The document is not of this place.", kind=kind, name=name, errors=errors
        )
    return written


def ended(change_set: ChangeSet) -> Conflict:
    return Conflict(
        "change_set_ended",
        f"Change set {change_set.pk} is {change_set.state}.",
        kind="ChangeSet",
        name=str(change_set.pk),
    )


def moved(change_set: ChangeSet) -> Conflict:
    return Conflict(
        "change_set_moved",
        f"Change set {change_set.pk} was edited, merged or closed meanwhile.",
        kind="ChangeSet",
        name=str(change_set.pk),
    )


def land(actor: Actor, proposal: Proposal) -> Revision:
    """Merge a proposal whose actor may. See ``merge`` for what it raises."""
    for _ in range(TRIES):
        prepared = _prepare(proposal)
        if not prepared.edits:
            return _nothing_to_do(actor, proposal, prepared.base)
        revision = _swap(actor, proposal, prepared)
        if revision is not None:
            sets.keep(revision.root_tree_id, prepared.result)
            return revision
    raise Conflict("busy", "Others keep merging into this environment.", retry_after=1)


def _prepare(proposal: Proposal) -> _Prepared:
    """Put the edits on top of what is current, and see whether that holds together."""
    environment = proposal.environment
    # The revision is read before the heads: if these turn out newer, the swap below fails and we start over.
    base = selectors.current_revision(environment)
    if proposal.pinned and proposal.base != (base.digest if base else None):
        raise Conflict(
            "base_moved",
            f"`{environment}` has changed since this was planned: plan again.",
            kind="Environment",
            name=environment,
        )
    root = base.root_tree_id if base else EMPTY
    edits = outstanding(proposal.edits, selectors.digests(environment, [edit.key for edit in proposal.edits]))
    result = sets.stored_set(root).with_edits({edit.key: edit.document for edit in edits})
    diagnostics = result.check(environment, clock.micros(clock.midnight())) if edits else []
    if has_errors(diagnostics):
        raise findings.unsound(diagnostics, {edit.key: edit.document for edit in edits if edit.document})
    tree = grow(root, _tree_object, {edit.key: edit.new for edit in edits})
    return _Prepared(base, edits, tree, result, diagnostics)


def _swap(actor: Actor, proposal: Proposal, prepared: _Prepared) -> Revision | None:
    """The short transaction. None, and nothing written, when the environment has moved on."""
    environment, base, now = proposal.environment, prepared.base, timezone.now()
    with transaction.atomic():
        head = locked(EnvironmentHead.objects.filter(pk=environment, revision=base)).first()
        if head is None:
            return None
        change_set = _ended_change_set(actor, proposal, prepared, now)
        store.add_trees(prepared.tree.objects)
        revision = _revision(actor, change_set, prepared, now)
        revision.save(force_insert=True)
        head.revision = revision
        head.save(update_fields=["revision"])
        written = [edit.written for edit in prepared.edits if edit.written]
        store.replace_current(
            environment,
            [edit.key for edit in prepared.edits],
            [head_of(environment, each.value, each.digest) for each in written],
            [row for each in written for row in references_of(environment, each.value)],
        )
        events.merged(revision)
        audit.record(
            actor=actor,
            action="policies.merged",
            object_kind="ChangeSet",
            object_name=str(change_set.pk),
            environment=environment,
            details=_details(revision, change_set, prepared.edits),
        )
    return revision


def _ended_change_set(actor: Actor, proposal: Proposal, prepared: _Prepared, now: datetime) -> ChangeSet:
    """The proposal's change set, marked merged; a new one for a proposal that has none."""
    merged = ChangeSet.State.MERGED
    given = proposal.change_set
    if given is not None:
        unchanged = ChangeSet.objects.filter(
            pk=given.pk, state=ChangeSet.State.OPEN, head_digest=given.head_digest
        )
        if not unchanged.update(state=merged, ended_at=now):
            raise moved(given)
        given.state, given.ended_at = merged, now
        return given
    base = prepared.base
    made = ChangeSet.objects.create(
        environment=proposal.environment,
        base=base,
        head_digest=head_digest(base.digest if base else None, prepared.edits),
        state=merged,
        reason=proposal.reason,
        author_id=person_behind(actor),
        author_name=name_of(actor),
        created_at=now,
        ended_at=now,
    )
    store.add_documents(edit.written.row() for edit in prepared.edits if edit.written)
    store.add(
        [
            Operation(
                change_set=made,
                kind=edit.kind,
                name=edit.name,
                base_digest=edit.base or "",
                new_document_id=edit.new,
            )
            for edit in prepared.edits
        ]
    )
    return made


def _revision(actor: Actor, change_set: ChangeSet, prepared: _Prepared, now: datetime) -> Revision:
    base = prepared.base
    revision = Revision(
        environment=change_set.environment,
        number=base.number + 1 if base else 1,
        parent=base,
        root_tree_id=prepared.tree.root,
        change_set=change_set,
        author_name=name_of(actor),
        at=now,
    )
    revision.digest = sha256_digest(
        canonical_bytes(
            {
                "environment": revision.environment,
                "number": revision.number,
                "parent": revision.parent_id,
                "root_tree": revision.root_tree_id,
                "change_set": change_set.pk,
                "author_name": revision.author_name,
                "at": clock.micros(now),
            }
        )
    )
    return revision


def _details(revision: Revision, change_set: ChangeSet, edits: Sequence[Edit]) -> dict[str, Any]:
    return {
        "revision": revision.digest,
        "number": revision.number,
        "parent": revision.parent_id,
        "reason": change_set.reason,
        "operations": [
            {"kind": edit.kind, "name": edit.name, "from": edit.base, "to": edit.new}
            for edit in edits[:SHOWN]
        ],
        "operations_count": len(edits),
    }


def _nothing_to_do(actor: Actor, proposal: Proposal, base: Revision | None) -> Revision:
    """Everything already is as proposed: no new revision, and a change set has reached its end."""
    if base is None:
        raise Invalid("nothing_to_merge", "There is nothing in this proposal, and nothing was there before.")
    given = proposal.change_set
    if given is not None:
        with transaction.atomic():
            ChangeSet.objects.filter(pk=given.pk, state=ChangeSet.State.OPEN).update(
                state=ChangeSet.State.MERGED, ended_at=timezone.now()
            )
            audit.record(
                actor=actor,
                action="policies.merged_without_effect",
                object_kind="ChangeSet",
                object_name=str(given.pk),
                environment=proposal.environment,
                details={"revision": base.digest},
            )
    return base


def _tree_object(digest: str) -> bytes:
    return selectors.trees([digest])[digest]
