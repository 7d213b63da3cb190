"""Programs in files: one program, one set of bytes; a small change, a small file."""

from __future__ import annotations

import json
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.canonical import NotCanonicalError, record_bytes
from coordination.program.partition import MAX_SHARD, Item, Layout, partition
from coordination.program.shards import (
    HEADER,
    KIND_FIELDS,
    MalformedProgramError,
    decode,
    decode_vectors,
    encode,
    encode_vectors,
)
from coordination.program.source_map import SourceMap, decode_source_map, encode_source_map
from tests.coordination.bundle import samples

replace = msgspec.structs.replace

NAMES = st.text("abcdefghij-/.", min_size=1, max_size=12)
ITEMS = st.dictionaries(
    st.tuples(st.sampled_from(["Model", "Pool", "Tenant"]), NAMES), st.integers(2, 400), max_size=60
).map(lambda found: [Item(kind, name, b"x" * size) for (kind, name), size in found.items()])


def test_a_small_program_is_a_header_and_one_file():
    files = encode(samples.program())
    assert sorted(files) == ["program/all.json", HEADER]
    assert decode(files) == samples.program()


def test_a_large_program_is_split_until_no_file_is_over_32_kb():
    records = samples.program(tenants=3000)
    files = encode(records)
    assert len(files) > 10
    assert max(map(len, files.values())) <= MAX_SHARD
    assert decode(files) == records


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(10, 19)), min_size=1, max_size=3))
def test_a_reservation_is_written_as_any_record_whoever_shares_its_hours(hours):
    program = samples.program()
    shared, alone = tuple(hours), tuple(hours)
    reservations = [
        replace(program.reservations[0], name=name, tenant=name, intervals=intervals)
        for name, intervals in (("a", shared), ("b", shared), ("c", alone))
    ]
    files = encode(replace(program, reservations=tuple(reservations)))
    (written,) = (data for path, data in files.items() if path != HEADER)
    assert b"[%s]" % b",".join(map(record_bytes, reservations)) in written


def test_each_object_lies_in_the_file_named_by_its_hash():
    files = encode(samples.program(tenants=3000))
    for path, data in files.items():
        if path == HEADER:
            continue
        prefix = path.removeprefix("program/").removesuffix(".json")
        for kind, group in json.loads(data).items():
            for record in group:
                assert sha256(f"{kind}/{record['name']}".encode()).hexdigest().startswith(prefix)


def test_an_edit_changes_one_file_and_every_other_keeps_its_bytes():
    before = samples.program(tenants=3000)
    tenants = list(before.tenants)
    tenants[1234] = replace(tenants[1234], display_name="Renamed")
    after = encode(replace(before, tenants=tuple(tenants)))
    changed = [path for path, data in encode(before).items() if after.get(path) != data]
    assert len(changed) == 1


def test_a_new_object_touches_the_header_and_the_files_of_its_own_prefix():
    before, after = encode(samples.program(tenants=3000)), encode(samples.program(tenants=3001))
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert HEADER in changed
    prefixes = {path.removeprefix("program/")[0] for path in changed - {HEADER}}
    assert len(prefixes) == 1


@settings(max_examples=60)
@given(ITEMS, st.randoms(use_true_random=False))
def test_the_layout_forgets_the_order_and_loses_nothing(items, random):
    files = partition(items, folder="f", limit=500)
    shuffled = list(items)
    random.shuffle(shuffled)
    assert partition(shuffled, folder="f", limit=500) == files
    together = b"".join(files.values())
    assert together.count(b"x") == sum(len(item.data) for item in items)


@settings(max_examples=60)
@given(ITEMS)
def test_no_file_is_over_the_limit_unless_it_holds_a_single_object_and_none_is_split_in_vain(items):
    limit = 500
    files = partition(items, folder="f", limit=limit)
    names = {path.removeprefix("f/").removesuffix(".json"): data for path, data in files.items()}
    for data in names.values():
        assert len(data) <= limit or data.count(b"[") == 1
    for name in names:
        if name != "all":
            parent = [d for other, d in names.items() if other.startswith(name[:-1])]
            assert sum(map(len, parent)) > limit, "these would have fitted into one file"


def _digest(item):
    return sha256(f"{item.kind}/{item.name}".encode()).hexdigest()


def _accepted(files, items, limit=500):
    """Whether ``Layout`` takes ``files`` for what ``partition`` makes of ``items``."""
    layout = Layout("f", limit)
    for path, data in files.items():
        members = sorted(item for item in items if _digest(item).startswith(_named(path)))
        if not layout.holds(path, data, members):
            return False
    return layout.misfit() is None


@settings(max_examples=150)
@given(ITEMS, st.integers(10, 3000))
def test_of_all_divisions_only_that_of_the_limit_is_taken(items, other):
    right, wrong = partition(items, folder="f", limit=500), partition(items, folder="f", limit=other)
    assert _accepted(right, items)
    assert _accepted(wrong, items) == (wrong == right)


@settings(max_examples=60)
@given(ITEMS.filter(bool), st.data())
def test_no_part_lies_within_another(items, data):
    files = partition(items, folder="f", limit=500)
    one = data.draw(st.sampled_from(items))
    (path,) = [path for path, text in files.items() if _digest(one).startswith(_named(path))]
    within = f"f/{_digest(one)[: len(_named(path)) + 1]}.json"
    beside = [item for item in items if _digest(item).startswith(_named(within))]
    (again,) = partition(beside, folder="f", limit=1_000_000).values()
    assert not _accepted({**files, within: again}, items)


def _named(path):
    return path.removeprefix("f/").removesuffix(".json").replace("all", "")


def test_one_object_larger_than_a_shard_has_a_file_to_itself():
    labels = {f"label-{n}": "v" * 100 for n in range(500)}
    records = samples.program()
    big = replace(records.tenants[0], labels=labels)
    records = replace(records, tenants=(big, records.tenants[1]))
    files = encode(records)
    large = [data for data in files.values() if len(data) > MAX_SHARD]
    assert len(large) == 1
    assert len(json.loads(large[0])["Tenant"]) == 1
    assert decode(files) == records


def _edited(files, path, change):
    value = json.loads(files[path])
    change(value)
    data = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    return {**files, path: data}


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        pytest.param(lambda f: {k: v for k, v in f.items() if k != HEADER}, "missing", id="no header"),
        pytest.param(lambda f: {HEADER: f[HEADER]}, "canonical", id="a file lost"),
        pytest.param(lambda f: {**f, "program/0.json": b"{}"}, "canonical", id="an empty file more"),
        pytest.param(lambda f: {**f, "program/0.json": f["program/all.json"]}, "", id="a file twice"),
        pytest.param(
            lambda f: {HEADER: f[HEADER], "program/a.json": f["program/all.json"]},
            "canonical",
            id="a false prefix",
        ),
        pytest.param(
            lambda f: _edited(f, "program/all.json", lambda v: v["Tenant"].reverse()),
            "canonical",
            id="disorder",
        ),
        pytest.param(
            lambda f: _edited(f, "program/all.json", lambda v: v["Tenant"][0].update(admin=True)),
            "unknown field `admin`",
            id="a field nobody knows",
        ),
        pytest.param(
            lambda f: _edited(f, "program/all.json", lambda v: v["Tier"][0].update(band=2.5)),
            "Expected `int`",
            id="a float",
        ),
        pytest.param(
            lambda f: _edited(f, "program/all.json", lambda v: v["Tier"][0].update(band=2**53)),
            "beyond",
            id="an integer too large",
        ),
        pytest.param(
            lambda f: _edited(f, "program/all.json", lambda v: v["Tier"][0].pop("band")),
            "band",
            id="a field lost",
        ),
        pytest.param(
            lambda f: _edited(f, "program/all.json", lambda v: v.update(Secret=[])),
            "Secret",
            id="a kind nobody knows",
        ),
        pytest.param(
            lambda f: _edited(f, HEADER, lambda v: v["counts"].update(Tenant=3)),
            "canonical",
            id="a false count",
        ),
        pytest.param(lambda f: {**f, "program/all.json": b"\xff"}, "", id="not text"),
        pytest.param(lambda f: {**f, "program/all.json": b"[" * 100_000}, "", id="hostile nesting"),
        pytest.param(
            lambda f: {**f, "program/all.json": f["program/all.json"] + b" "}, "", id="a space at the end"
        ),
    ],
)
def test_decode_refuses(tamper, says):
    with pytest.raises(MalformedProgramError) as caught:
        decode(tamper(encode(samples.program())))
    assert says in str(caught.value)
    assert caught.value.path.startswith("program")


def test_every_flipped_byte_of_a_program_changes_it_or_is_refused():
    """Each file alone cannot tell a different program; that its digest is signed can."""
    files = encode(samples.program())
    for path, data in files.items():
        for at in range(0, len(data), 7):
            flipped = {**files, path: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]}
            try:
                assert decode(flipped) != samples.program()
            except MalformedProgramError:
                continue


def test_encode_refuses_what_order_cannot_carry():
    records = samples.program()
    with pytest.raises(ValueError, match="sorted"):
        encode(replace(records, tenants=tuple(reversed(records.tenants))))
    with pytest.raises(ValueError, match="twice"):
        encode(replace(records, tenants=records.tenants[:1] * 2))


def test_encode_refuses_an_integer_outside_the_domain():
    records = samples.program()
    huge = replace(records.tiers[0], band=2**53)
    with pytest.raises(NotCanonicalError):
        encode(replace(records, tiers=(huge,)))


def test_every_kind_of_record_is_carried():
    whole = {name for name in samples.program().__struct_fields__ if name not in ("environment", "at")}
    assert set(KIND_FIELDS.values()) == whole


def test_vectors_and_source_maps_travel_whole():
    vectors = [replace(samples.vectors()[0], name=f"v-{n:04d}") for n in range(500)]
    files = encode_vectors(vectors)
    assert len(files) > 1
    assert all(path.startswith("selftest/") for path in files)
    assert decode_vectors(files) == vectors
    assert decode_vectors(encode_vectors([])) == []
    mapped = samples.source_map()
    assert decode_source_map(encode_source_map(mapped)) == mapped
    assert mapped.find("Quota", "first") is mapped.entries[0]
    assert mapped.find("Quota", "second") is None


def test_vectors_that_share_a_name_are_refused_both_ways():
    vector = samples.vectors()[0]
    with pytest.raises(ValueError, match="share a name"):
        encode_vectors([vector, vector])
    text = json.dumps({"Vector": [msgspec.to_builtins(vector)] * 2}, separators=(",", ":"), sort_keys=True)
    with pytest.raises(MalformedProgramError):
        decode_vectors({"selftest/all.json": text.encode()})


def test_a_malformed_source_map_is_refused():
    files = encode_source_map(SourceMap.of(samples.source_map().entries))
    with pytest.raises(MalformedProgramError):
        decode_source_map({path: data + b" " for path, data in files.items()})
