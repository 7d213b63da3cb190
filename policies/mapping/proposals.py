"""What does a proposal come to, put on top of what is current now? Three-way, object by object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordination.program.canonical import canonical_bytes, sha256_digest
from coordination.spec import Document
from foundation.http import Conflict
from policies import selectors
from policies.mapping.documents import Unreadable, Written, as_json, parse
from policies.mapping.sets import entries_of
from policies.models import ChangeSet, Operation
from policies.selectors import Key


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody wants of one object: ``written`` (None: that it is gone), having seen ``base``."""

    kind: str
    name: str
    base: str | None
    """Digest the author started from; None: there was nothing."""
    written: Written | None

    @property
    def key(self) -> Key:
        return self.kind, self.name

    @property
    def new(self) -> str | None:
        """Digest of what is to be there."""
        return self.written.digest if self.written else None

    @property
    def document(self) -> Document | None:
        return self.written.value if self.written else None


def edits_of(change_set: ChangeSet) -> list[Edit]:
    """The operations of a change set, by kind and name."""
    rows = list(selectors.operations(change_set))
    documents, unreadable = parse(row.new_document_id for row in rows if row.new_document_id)
    if unreadable:
        raise outdated(unreadable[0])

    def written(row: Operation) -> Written | None:
        stored = row.new_document
        return Written(stored.digest, bytes(stored.body), documents[stored.digest]) if stored else None

    return [Edit(row.kind, row.name, row.base_digest or None, written(row)) for row in rows]


def edits_towards(environment: str, root: str) -> list[Edit]:
    """What it takes to have exactly the documents under a root tree current, by kind and name.

    Raises ``Conflict`` (``outdated_document``).
    """
    wanted = {(entry.kind, entry.name): entry.digest for entry in entries_of(root)}
    current = selectors.all_digests(environment)
    changed = {key: digest for key, digest in wanted.items() if current.get(key) != digest}
    documents, unreadable = parse(changed.values())
    if unreadable:
        raise outdated(unreadable[0])
    rows = {row.digest: row for row in selectors.documents(set(changed.values()))}
    edits = [
        Edit(*key, current.get(key), Written(digest, bytes(rows[digest].body), documents[digest]))
        for key, digest in changed.items()
    ]
    edits += [Edit(*key, digest, None) for key, digest in current.items() if key not in wanted]
    return sorted(edits, key=lambda edit: edit.key)


def outdated(document: Unreadable) -> Conflict:
    return Conflict(
        "outdated_document",
        f"{document.kind} `{document.name}` is in an earlier version of the language: write it again.",
        kind=document.kind,
        name=document.name,
    )


def head_digest(base: str | None, edits: Iterable[Edit]) -> str:
    """What names a proposal: another digest for any edit of it."""
    operations = sorted([edit.kind, edit.name, edit.base or "", edit.new or ""] for edit in edits)
    return sha256_digest(canonical_bytes({"base": base, "operations": operations}))


def outstanding(edits: Sequence[Edit], current: Mapping[Key, str]) -> list[Edit]:
    """The edits that still have something to do.

    An object that is as its author saw it takes the edit; one that already is as the edit would make it
    needs none; one that somebody else changed to something else is a conflict: ``Conflict``
    (``stale_edit``) with base, ours and theirs of every such object.
    """
    todo: list[Edit] = []
    conflicts: list[Edit] = []
    for edit in edits:
        now = current.get(edit.key)
        if now == edit.new:
            continue
        (todo if now == edit.base else conflicts).append(edit)
    if conflicts:
        raise stale(conflicts, current)
    return todo


def stale(conflicts: Sequence[Edit], current: Mapping[Key, str]) -> Conflict:
    """Somebody else changed the same objects: everything needed to decide between the versions."""
    first = conflicts[0]
    others = f" and {len(conflicts) - 1} more" if len(conflicts) > 1 else ""
    seen = {digest for edit in conflicts for digest in (edit.base, current.get(edit.key)) if digest}
    rows = [edit.written.row() for edit in conflicts if edit.written]
    stored = {row.digest: as_json(row) for row in [*rows, *selectors.documents(seen)]}

    def version(digest: str | None) -> dict[str, Any] | None:
        return None if digest is None else {"digest": digest, "document": stored.get(digest)}

    return Conflict(
        "stale_edit",
        f"{first.kind} `{first.name}`{others} was changed by somebody else since you opened it.",
        kind=first.kind,
        name=first.name,
        extra={
            "conflicts": [
                {
                    "kind": edit.kind,
                    "name": edit.name,
                    "base": version(edit.base),
                    "ours": version(edit.new),
                    "theirs": version(current.get(edit.key)),
                }
                for edit in conflicts
            ]
        },
    )
