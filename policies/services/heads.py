"""Does the index of what is current say what the revision says? And if not, make it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from coordination.bundle.tree import EMPTY
from foundation import audit
from foundation.actors import Actor
from foundation.locking import locked
from policies import store
from policies.mapping import sets
from policies.mapping.documents import parse
from policies.mapping.index import head_of, references_of
from policies.models import EnvironmentHead, Head, Reference
from policies.permissions import require_editor
from policies.services.environments import require_environment

HEAD_FIELDS = ("kind", "name", "document_id", "tenant", "tier", "pool", "rank", "starts", "ends", "labels")
REFERENCE_FIELDS = ("kind", "name", "to_kind", "to_name", "pointer")


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows the index lacks or should not have, as ``Kind name`` of the document they belong to."""

    missing: tuple[str, ...]
    surplus: tuple[str, ...]

    @property
    def none(self) -> bool:
        return not self.missing and not self.surplus


def rebuild_head(*, actor: Actor, environment: str, check: bool = False) -> Difference:
    """Compare the index with the current revision's documents and, unless ``check``, make it anew.

    Holds the environment's head meanwhile, so that no merge comes between.
    """
    require_editor(actor, environment)
    require_environment(environment)
    with transaction.atomic():
        head = locked(EnvironmentHead.objects.filter(pk=environment).select_related(None)).get()
        heads, references = _wanted(environment, head)
        difference = _compare(environment, heads, references)
        if not check and not difference.none:
            store.replace_all(environment, heads, references)
            audit.record(
                actor=actor,
                action="policies.head_rebuilt",
                object_kind="Environment",
                object_name=environment,
                environment=environment,
                details={"missing": len(difference.missing), "surplus": len(difference.surplus)},
            )
    return difference


def _wanted(environment: str, head: EnvironmentHead) -> tuple[list[Head], list[Reference]]:
    """The rows the revision's documents give. One that can no longer be read keeps its bare head."""
    entries = sets.entries_of(head.revision.root_tree_id if head.revision else EMPTY)
    documents, _ = parse(entry.digest for entry in entries)
    heads, references = [], []
    for entry in entries:
        document = documents.get(entry.digest)
        if document is None:
            bare = Head(environment=environment, kind=entry.kind, name=entry.name, document_id=entry.digest)
            heads.append(bare)
        else:
            heads.append(head_of(environment, document, entry.digest))
            references.extend(references_of(environment, document))
    return heads, references


def _compare(environment: str, heads: Iterable[Head], references: Iterable[Reference]) -> Difference:
    wanted = Counter(_values(row, HEAD_FIELDS) for row in heads)
    wanted.update(_values(row, REFERENCE_FIELDS) for row in references)
    stored = Counter(_values(row, HEAD_FIELDS) for row in Head.objects.filter(environment=environment))
    stored.update(_values(row, REFERENCE_FIELDS) for row in Reference.objects.filter(environment=environment))
    return Difference(
        missing=tuple(sorted(map(_named, (wanted - stored).elements()))),
        surplus=tuple(sorted(map(_named, (stored - wanted).elements()))),
    )


def _values(row: Head | Reference, names: Iterable[str]) -> tuple[Any, ...]:
    values = (getattr(row, name) for name in names)
    return tuple(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in values)


def _named(values: tuple[Any, ...]) -> str:
    return f"{values[0]} {values[1]}"
