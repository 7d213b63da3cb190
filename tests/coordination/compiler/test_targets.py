"""The table of what the gateway does not do yet: it names fields that exist, and nothing twice."""

from __future__ import annotations

import pytest

from coordination.compiler.targets import GAPS, Gap
from coordination.spec.declaration import Fields
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Items
from tests.support.policies import diagnose, quickstart_files


@pytest.mark.parametrize("gap", GAPS, ids=[f"{gap.kind} {gap.field}" for gap in GAPS])
def test_a_line_names_a_field_and_says_what_happens_instead(gap: Gap):
    notation = NOTATIONS[gap.kind]
    *outer, last = gap.field.split(".")
    for step in outer:
        inner = notation.fields[step].notation
        inner = inner.of if isinstance(inner, Items) else inner
        assert isinstance(inner, Fields)
        notation = inner
    assert last in notation.fields
    assert gap.instead.endswith(".")


def test_no_field_stands_there_twice():
    assert len({(gap.kind, gap.field) for gap in GAPS}) == len(GAPS)


def test_the_quickstart_promises_only_what_is_kept():
    assert [d.code for d in diagnose(quickstart_files()) if d.code.startswith("TARGET")] == []
