"""Records have a quicker way to their canonical bytes, which must be the same bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.program.canonical import (
    MAX_INTEGER,
    NotCanonicalError,
    canonical_bytes,
    record_bytes,
)
from coordination.program.records import TenantRecord

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


class Sample(msgspec.Struct, frozen=True):
    amount: int
    label: str
    by_name: dict[str, int]
    pairs: tuple[tuple[int, int | None], ...]


@given(
    st.builds(
        Sample,
        amount=st.integers(-MAX_INTEGER, MAX_INTEGER),
        label=TEXT,
        by_name=st.dictionaries(TEXT, st.integers(0, 9), max_size=6),
        pairs=st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=3).map(tuple),
    )
)
def test_the_bytes_are_those_of_the_value(sample):
    assert record_bytes(sample) == canonical_bytes(msgspec.to_builtins(sample))


def test_keys_are_sorted_as_utf_16_sorts_them():
    # U+FF5E sorts after U+1F600 by UTF-16 unit, before it by code point.
    labels = {"\U0001f600": "astral", "\uff5e": "plane 0"}
    tenant = TenantRecord(
        name="t", display_name="T", tiers=("a",), default_tier="a", zone="UTC", labels=labels
    )
    assert record_bytes(tenant) == canonical_bytes(msgspec.to_builtins(tenant))
    assert record_bytes(tenant).index("\U0001f600".encode()) < record_bytes(tenant).index("\uff5e".encode())


def test_an_integer_beyond_the_domain_is_refused():
    with pytest.raises(NotCanonicalError, match="beyond"):
        record_bytes(Sample(amount=MAX_INTEGER + 1, label="", by_name={}, pairs=()))
