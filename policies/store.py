"""How are rows written in bulk? Content-addressed ones once, the index of what is current in step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from django.db.models import Model

from policies.models import Document, Head, Operation, Reference, Tree

BATCH = 500
_M = TypeVar("_M", bound=Model)


def add(rows: Sequence[_M]) -> None:
    """Insert rows that are named by their content; those already there are the same and stay."""
    if rows:
        type(rows[0])._default_manager.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


def add_documents(rows: Iterable[Document]) -> None:
    add(list({row.digest: row for row in rows}.values()))


def add_trees(objects: Mapping[str, bytes]) -> None:
    add([Tree(digest=digest, body=body) for digest, body in objects.items()])


def put_operations(rows: Sequence[Operation]) -> None:
    """Insert what a change set does to objects, each in place of what it did to the same one before."""
    Operation.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["change_set", "kind", "name"],
        update_fields=["base_digest", "new_document"],
    )


def replace_current(
    environment: str,
    gone: Iterable[tuple[str, str]],
    heads: Sequence[Head],
    references: Sequence[Reference],
) -> None:
    """Drop the index rows of the objects in ``gone``, then insert the new ones.

    ``gone`` holds (kind, name) of everything that changed, whether it has a new row or not.
    """
    names: dict[str, list[str]] = {}
    for kind, name in gone:
        names.setdefault(kind, []).append(name)
    for kind, changed in names.items():
        for part in _batches(changed):
            Head.objects.filter(environment=environment, kind=kind, name__in=part).delete()
            Reference.objects.filter(environment=environment, kind=kind, name__in=part).delete()
    Head.objects.bulk_create(heads, batch_size=BATCH)
    Reference.objects.bulk_create(references, batch_size=BATCH)


def replace_all(environment: str, heads: Sequence[Head], references: Sequence[Reference]) -> None:
    """The whole index of an environment anew."""
    Head.objects.filter(environment=environment).delete()
    Reference.objects.filter(environment=environment).delete()
    Head.objects.bulk_create(heads, batch_size=BATCH)
    Reference.objects.bulk_create(references, batch_size=BATCH)


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]
