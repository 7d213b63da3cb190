"""Every field of a record goes back to a field of the language: else two bundles could differ unseen."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from coordination.plan.lifting import name_in, shaped
from coordination.program.records import ProgramRecords, Record
from coordination.program.shards import KIND_FIELDS
from coordination.spec.declaration import Fields
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Items, Notation

ELSEWHERE = {"name"}
"""Stands in the metadata. `intervals` are compared as such, by `plan/programs.py`."""
NEVER_SET = {"session.loop_guard"}
"""Runs and sessions share a record; only a run has this."""


def tree_of(record: type[Record]) -> dict[str, Any]:
    """A record's fields by name; of a nested record, the tree; of a list of them, a list with one."""
    hints = get_type_hints(record)
    return {f.name: _example(hints[f.name]) for f in msgspec.structs.fields(record)}


def _example(hint: Any) -> Any:
    """Numbers are 0, so that they can be added; whatever else is not looked at is None."""
    if hint is int:
        return 0
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for part in parts:
        inner = get_args(part)[0] if get_origin(part) is tuple else part
        if isinstance(inner, type) and issubclass(inner, Record):
            tree = tree_of(inner)
            return [tree] if inner is not part else tree
    return None


def left_over(tree: dict[str, Any], fields: Fields, path: str) -> Iterator[str]:
    known = {name: field for field in fields.fields.values() if (name := name_in(tree, field)) is not None}
    for name, value in tree.items():
        if name not in known:
            yield f"{path}{name}"
            continue
        notation: Notation = known[name].notation
        if isinstance(notation, Items) and isinstance(value, list) and value:
            notation, value = notation.of, value[0]
        if isinstance(notation, Fields) and isinstance(value, dict):
            yield from left_over(value, notation, f"{path}{name}.")


@pytest.mark.parametrize("kind", KIND_FIELDS)
def test_every_field_of_a_record_has_its_field_in_the_language(kind):
    (record, *_) = get_args(get_type_hints(ProgramRecords)[KIND_FIELDS[kind]])
    tree = shaped(kind, tree_of(record))
    assert set(left_over(tree, NOTATIONS[kind], "")) - NEVER_SET == ELSEWHERE, (
        "name a record's field as the language does (or with _ppm, _nano), or move it in plan/lifting.py"
    )
