"""How is a proposal written, operation by operation, before it is merged?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from coordination.spec import KINDS, Document
from foundation import audit
from foundation.actors import Actor, name_of, person_behind
from foundation.http import Forbidden, Invalid
from foundation.locking import locked
from policies import selectors, store
from policies.mapping.documents import Body, Written
from policies.mapping.proposals import Edit, edits_of, head_digest
from policies.models import ChangeSet, Operation, Revision
from policies.permissions import require_asker, require_editor
from policies.services.environments import require_environment
from policies.services.merging import SHOWN, ended, moved, read_as


def open_change_set(
    *, actor: Actor, environment: str, base: Revision | None = None, reason: str = "", ticket: str = ""
) -> ChangeSet:
    """An empty proposal against ``base``, which is what is current now unless told otherwise."""
    require_editor(actor, environment)
    return _open(actor, environment, base, reason, ticket)


@transaction.atomic
def request_change(
    *, actor: Actor, environment: str, tenant: str, wanted: Document, base_digest: str, reason: str
) -> ChangeSet:
    """What administrators of ``tenant`` ask for and may not do: a proposal for an operator to review.
    ``wanted``: one of the tenant's own quotas, as it should be; or one of a tenant below it."""
    require_asker(actor, tenant)
    own = wanted.kind == "Quota" and f"{wanted.spec.tenant}/".startswith(f"{tenant}/")
    if not own:
        raise Forbidden("forbidden", "You may ask for changes of your own quotas.")
    change_set = _open(actor, environment, None, reason, asked_by(tenant))
    written = read_as(wanted.canonical(), environment=environment, kind="Quota", name=wanted.name)
    _put(actor, change_set, "Quota", wanted.name, written, base_digest)
    return change_set


def asked_by(tenant: str) -> str:
    """The reference that a tenant's own proposals bear."""
    return f"asked by {tenant}"


def _open(actor: Actor, environment: str, base: Revision | None, reason: str, ticket: str) -> ChangeSet:
    require_environment(environment)
    base = base or selectors.current_revision(environment)
    with transaction.atomic():
        change_set = ChangeSet.objects.create(
            environment=environment,
            base=base,
            head_digest=head_digest(base.digest if base else None, []),
            reason=reason,
            ticket=ticket,
            author_id=person_behind(actor),
            author_name=name_of(actor),
            created_at=timezone.now(),
        )
        _record(actor, "policies.change_set_opened", change_set)
    return change_set


def put_operation(
    *,
    actor: Actor,
    change_set: ChangeSet,
    kind: str,
    name: str,
    body: Body | None,
    base_digest: str | None,
) -> Operation:
    """Have the change set write this object (or, without a body, delete it). Replaces an earlier one.

    Raises ``Invalid`` (``invalid_document``) with the errors of each field.
    """
    require_editor(actor, change_set.environment)
    if kind not in KINDS:
        raise Invalid("unknown_kind", f"There is no kind `{kind[:63]}`.")
    written = (
        None if body is None else read_as(body, environment=change_set.environment, kind=kind, name=name)
    )
    return _put(actor, change_set, kind, name, written, base_digest)


def _put(
    actor: Actor,
    change_set: ChangeSet,
    kind: str,
    name: str,
    written: Written | None,
    base_digest: str | None,
) -> Operation:
    with transaction.atomic():
        _lock_open(change_set)
        if written is not None:
            store.add_documents([written.row()])
        operation, _ = Operation.objects.update_or_create(
            change_set=change_set,
            kind=kind,
            name=name,
            defaults={
                "base_digest": base_digest or "",
                "new_document_id": written.digest if written else None,
            },
        )
        _renew_head(change_set)
        details = {"kind": kind, "name": name, "from": base_digest, "to": operation.new_document_id}
        _record(actor, "policies.operation_put", change_set, **details)
    return operation


@transaction.atomic
def propose(
    *, actor: Actor, environment: str, edits: Sequence[Edit], reason: str = "", ticket: str = ""
) -> ChangeSet:
    """A proposal against what is current now that makes all of ``edits``, each read as a document of its
    place (``read_as``)."""
    require_editor(actor, environment)
    change_set = _open(actor, environment, None, reason, ticket)
    _put_all(actor, change_set, edits)
    return change_set


@transaction.atomic
def put_edits(*, actor: Actor, change_set: ChangeSet, edits: Sequence[Edit], head_digest: str | None) -> None:
    """Have the change set make all of ``edits``, each in place of what it did with that object before.

    ``head_digest`` is what the author looked at; None does not ask. Raises ``Conflict``:
    ``change_set_ended``, ``change_set_moved``.
    """
    require_editor(actor, change_set.environment)
    _lock_open(change_set)
    if head_digest is not None and head_digest != change_set.head_digest:
        raise moved(change_set)
    _put_all(actor, change_set, edits)


def _put_all(actor: Actor, change_set: ChangeSet, edits: Sequence[Edit]) -> None:
    """An edit that leaves its object as it is takes back what the change set did with it."""
    store.add_documents(edit.written.row() for edit in edits if edit.written)
    for edit in edits:
        if edit.new == edit.base:
            change_set.operations.filter(kind=edit.kind, name=edit.name).delete()
    store.put_operations(
        [
            Operation(
                change_set=change_set,
                kind=edit.kind,
                name=edit.name,
                base_digest=edit.base or "",
                new_document_id=edit.new,
            )
            for edit in edits
            if edit.new != edit.base
        ]
    )
    _renew_head(change_set)
    shown = [
        {"kind": edit.kind, "name": edit.name, "from": edit.base, "to": edit.new} for edit in edits[:SHOWN]
    ]
    _record(actor, "policies.operations_put", change_set, operations=shown, operations_count=len(edits))


def drop_operation(*, actor: Actor, change_set: ChangeSet, kind: str, name: str) -> None:
    """Have the change set leave this object alone; nothing happens if it already does."""
    require_editor(actor, change_set.environment)
    with transaction.atomic():
        _lock_open(change_set)
        dropped, _ = change_set.operations.filter(kind=kind, name=name).delete()
        if dropped:
            _renew_head(change_set)
            _record(actor, "policies.operation_dropped", change_set, kind=kind, name=name)


def close_change_set(*, actor: Actor, change_set: ChangeSet) -> None:
    """Give the proposal up."""
    require_editor(actor, change_set.environment)
    with transaction.atomic():
        _lock_open(change_set)
        change_set.state, change_set.ended_at = ChangeSet.State.CLOSED, timezone.now()
        change_set.save(update_fields=["state", "ended_at"])
        _record(actor, "policies.change_set_closed", change_set)


def _lock_open(change_set: ChangeSet) -> None:
    """Hold the row until the end of the transaction; ``Conflict`` when the proposal has ended."""
    held = locked(ChangeSet.objects.filter(pk=change_set.pk)).get()
    change_set.state, change_set.head_digest = held.state, held.head_digest
    if held.state != ChangeSet.State.OPEN:
        raise ended(change_set)


def _renew_head(change_set: ChangeSet) -> None:
    """Name the proposal anew: whatever was bound to its former digest no longer holds."""
    change_set.head_digest = head_digest(change_set.base_id, edits_of(change_set))
    change_set.save(update_fields=["head_digest"])


def _record(actor: Actor, action: str, change_set: ChangeSet, **details: Any) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_kind="ChangeSet",
        object_name=str(change_set.pk),
        environment=change_set.environment,
        details={"head_digest": change_set.head_digest, **details},
    )
