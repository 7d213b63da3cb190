"""What would a proposal do, and would the policy hold together? A value: shown, pinned, then applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from coordination.bundle.tree import EMPTY
from coordination.diagnostics import Diagnostic, has_errors, in_reading_order
from coordination.plan import Difference, diff
from coordination.program.canonical import canonical_bytes, sha256_digest
from coordination.spec import SourceFile, read
from foundation.actors import Actor
from policies import selectors
from policies.mapping import findings, sets
from policies.mapping.documents import Written
from policies.mapping.proposals import Edit, edits_of, outstanding
from policies.models import ChangeSet
from policies.permissions import require_reader
from policies.services import clock
from policies.services.environments import require_environment

Action = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done to which object, on top of ``base``."""

    environment: str
    base: str | None
    """Digest of the revision it was made against; None: nothing was merged yet."""
    edits: Sequence[Edit]
    diagnostics: Sequence[Diagnostic]
    difference: Difference | None = field(default=None, compare=False)
    """What the edits mean; None when the files could not all be read."""

    @property
    def ok(self) -> bool:
        return not has_errors(self.diagnostics)

    @property
    def digest(self) -> str:
        """Names the plan: another base or another operation is another plan."""
        operations = [[edit.kind, edit.name, edit.base or "", edit.new or ""] for edit in self.edits]
        return sha256_digest(
            canonical_bytes(
                {"environment": self.environment, "base": self.base, "operations": sorted(operations)}
            )
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "base": self.base,
            "plan_digest": self.digest,
            "ok": self.ok,
            "operations": [
                {
                    "action": action_of(edit),
                    "kind": edit.kind,
                    "name": edit.name,
                    "from": edit.base,
                    "to": edit.new,
                }
                for edit in self.edits
            ],
            "diagnostics": findings.as_json(self.diagnostics),
            "difference": None if self.difference is None else self.difference.as_json(),
        }


def action_of(edit: Edit) -> Action:
    if edit.written is None:
        return "delete"
    return "update" if edit.base else "create"


def plan(*, actor: Actor, environment: str, files: Iterable[SourceFile], prune: bool = False) -> Plan:
    """What it takes to have the documents of ``files`` current; nothing is written.

    Documents that name other environments are left out. With ``prune``, what no file holds is deleted.
    """
    require_reader(actor)
    require_environment(environment)
    policy_set, misread = read(files)
    wanted = [Written.of(document) for document in policy_set.documents if document.applies_in(environment)]
    base = selectors.current_revision(environment)
    current = selectors.all_digests(environment)
    edits = [
        Edit(each.value.kind, each.value.name, current.get(key), each)
        for each in wanted
        if current.get(key := (each.value.kind, each.value.name)) != each.digest
    ]
    if prune:
        named = {(each.value.kind, each.value.name) for each in wanted}
        named.update((ref.kind, ref.name) for ref in policy_set.broken)
        edits += [Edit(*key, digest, None) for key, digest in current.items() if key not in named]
    edits.sort(key=lambda edit: edit.key)
    stored = sets.stored_set(base.root_tree_id if base else EMPTY)
    after = stored.with_edits({edit.key: edit.document for edit in edits})
    found, meant = list(misread), None
    if not has_errors(misread):
        at = clock.micros(clock.midnight())
        found += after.check(environment, at)
        meant = diff(stored.policy_set(), after.policy_set(), environment=environment, at=at)
    return Plan(environment, base.digest if base else None, edits, in_reading_order(found), meant)


def validate(change_set: ChangeSet) -> list[Diagnostic]:
    """What the compiler says of the policy with the change set in it, put on top of what is current.

    Raises ``Conflict`` (``stale_edit``) like the merge would.
    """
    environment = change_set.environment
    base = selectors.current_revision(environment)
    edits = edits_of(change_set)
    todo = outstanding(edits, selectors.digests(environment, [edit.key for edit in edits]))
    stored = sets.stored_set(base.root_tree_id if base else EMPTY)
    after = stored.with_edits({edit.key: edit.document for edit in todo})
    return after.check(environment, clock.micros(clock.midnight()))
