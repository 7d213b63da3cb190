"""A set of documents has one root, whatever its history, and an edit writes three objects."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.bundle.tree import EMPTY, Entry, grow, root_of, walk
from coordination.program.canonical import sha256_digest


def a_digest(text: str) -> str:
    return sha256_digest(text.encode())


NOTHING: dict[str, bytes] = {}
NAMES = st.sampled_from([f"object-{n}" for n in range(12)] + ["acme", "acme/search", "\U0001f600", "\uffff"])
CHANGES = st.dictionaries(
    st.tuples(st.sampled_from(["Tier", "Route", "Tenant"]), NAMES),
    st.one_of(st.none(), st.sampled_from("abc").map(a_digest)),
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(CHANGES, max_size=6))
def test_any_history_of_edits_ends_at_the_root_of_what_is_left(history):
    stored: dict[str, bytes] = {}
    root = EMPTY
    left: dict[tuple[str, str], str] = {}
    for changes in history:
        grown = grow(root, stored.__getitem__, changes)
        stored.update(grown.objects)
        root = grown.root
        left = {key: digest for key, digest in {**left, **changes}.items() if digest is not None}
    expected = {Entry(kind, name, digest) for (kind, name), digest in left.items()}
    assert root == root_of(expected)
    assert set(walk(root, stored.__getitem__)) == expected
    assert all(sha256_digest(data) == digest for digest, data in stored.items())


def test_one_edit_among_thousands_writes_one_shard_one_index_and_the_root():
    entries = {("Tenant", f"t{n}"): a_digest(str(n)) for n in range(3000)}
    whole = grow(EMPTY, NOTHING.__getitem__, entries)
    edited = grow(whole.root, whole.objects.__getitem__, {("Tenant", "t17"): a_digest("new")})
    assert len(edited.objects) == 3
    assert edited.root != whole.root


def test_the_same_name_of_two_kinds_is_two_documents():
    one = a_digest("x")
    assert root_of([Entry("Tier", "a", one), Entry("Route", "a", one)]) != root_of([Entry("Tier", "a", one)])


def test_a_set_that_names_an_object_twice_has_no_root():
    with pytest.raises(ValueError, match="Tier a appears twice"):
        root_of([Entry("Tier", "a", a_digest("x")), Entry("Tier", "a", a_digest("y"))])


def test_dropping_everything_leaves_the_empty_root():
    grown = grow(EMPTY, NOTHING.__getitem__, {("Tier", "a"): a_digest("x")})
    assert grow(grown.root, grown.objects.__getitem__, {("Tier", "a"): None}).root == EMPTY
