"""API keys and the directory that knows them."""

from __future__ import annotations

import json
from base64 import b32encode
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.bundle.apikeys import MINT_BYTES, mint, parse
from coordination.bundle.directory import KeyFacts, KeyRefusal, new_entry, read_directory
from coordination.bundle.refusals import RefusedError
from coordination.program.canonical import canonical_bytes, sha256_digest
from tests.coordination.bundle import samples

SECRET, KEY_ID = samples.MINTED
NOW = samples.AT
replace = msgspec.structs.replace


def checksum(stem):
    return b32encode(crc32(stem.encode()).to_bytes(4, "big")).decode().rstrip("=").lower()


@settings(max_examples=50)
@given(st.binary(min_size=MINT_BYTES, max_size=MINT_BYTES))
def test_a_minted_key_has_the_fixed_form_and_is_recognised(entropy):
    secret, key_id = mint(entropy)
    head, middle, body, check = secret.split("_")
    assert (head, len(middle), len(body), len(check)) == ("hw", 10, 52, 7)
    assert parse(secret) == key_id == middle


def test_two_draws_share_no_key():
    assert mint(bytes(39)).secret != mint(bytes(38) + b"\1").secret
    with pytest.raises(ValueError, match="39"):
        mint(bytes(16))


@settings(max_examples=200)
@given(st.integers(0, len(SECRET) - 1), st.characters(codec="ascii"))
def test_one_wrong_character_is_noticed_without_asking_anybody(at, character):
    damaged = SECRET[:at] + character + SECRET[at + 1 :]
    assert (parse(damaged) is not None) is (damaged == SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-something-else",
        SECRET.upper(),
        SECRET + "\n",
        " " + SECRET,
        SECRET[:-1],
        SECRET.replace("hw_", "hx_"),
        "hw_" + "a" * 10 + "_" + "a" * 52 + "_" + "a" * 7,
        SECRET.replace("a", "\N{CYRILLIC SMALL LETTER A}"),
    ],
)
def test_what_is_not_ours_is_malformed(text):
    assert parse(text) is None


def test_spare_bits_of_the_secret_are_not_a_second_spelling():
    head, key_id, body, _ = SECRET.split("_")
    stem = f"{head}_{key_id}_{body[:-1]}{'b' if body[-1] == 'a' else chr(ord(body[-1]) + 1)}"
    assert parse(f"{stem}_{checksum(stem)}") is None


def refusal(directory, secret=SECRET, now=NOW):
    found = directory.authenticate(secret, now)
    assert isinstance(found, KeyRefusal)
    return found


def entry(**changes):
    base = new_entry(SECRET, tenant="acme", expires_at=NOW + 10)
    return replace(samples.directory(), keys={KEY_ID: replace(base, **changes)})


def test_a_valid_key_tells_whose_it_is():
    assert entry().authenticate(SECRET, NOW) == KeyFacts(KEY_ID, "acme", ("inference",), NOW + 10)


def test_the_directory_does_not_hold_the_secret():
    assert SECRET.encode() not in entry().to_json()
    assert SECRET.split("_")[2].encode() not in entry().to_json()


@pytest.mark.parametrize(
    ("directory", "now", "why"),
    [
        pytest.param(entry(), NOW + 10, "expired", id="at the very instant of expiry"),
        pytest.param(entry(), NOW + 10**12, "expired", id="long expired"),
        pytest.param(entry(revoked_at=NOW - 1), NOW, "revoked", id="revoked"),
        pytest.param(entry(revoked_at=NOW + 10**12), NOW, "revoked", id="revoked by a clock ahead of ours"),
        pytest.param(entry(revoked_at=NOW), NOW + 10**12, "revoked", id="revoked and expired"),
        pytest.param(entry(sha256=sha256_digest(b"")), NOW, "unknown", id="the id of another secret"),
        pytest.param(replace(samples.directory(), keys={}), NOW, "unknown", id="nobody's"),
    ],
)
def test_a_key_is_refused(directory, now, why):
    assert refusal(directory, now=now).why == why


def test_only_the_holder_learns_that_a_key_is_revoked():
    """Same id, another secret: it must not be told from a key that never was."""
    guess = f"hw_{KEY_ID}_{'a' * 52}"
    guess = f"{guess}_{checksum(guess)}"
    assert parse(guess) == KEY_ID
    revoked = refusal(entry(revoked_at=NOW), guess)
    never_was = refusal(replace(samples.directory(), keys={}), guess)
    assert (revoked.why, revoked.message, revoked.key_id) == (never_was.why, never_was.message, None)


def test_a_malformed_key_is_told_so():
    assert refusal(entry(), "sk-123").why == "malformed"


def test_a_directory_reads_back():
    made = samples.directory()
    assert read_directory(made.to_json()) == made
    assert made.digest == sha256_digest(made.to_json())


def test_limits_of_teams_read_back_and_leave_no_trace_where_there_are_none():
    made = replace(samples.directory(), limits={"acme/search": {"requests": {"day": 5, "1m": 2}}})
    assert read_directory(made.to_json()) == made
    assert b"limits" not in samples.directory().to_json()


def test_a_hand_written_directory_may_have_white_space_where_nothing_binds_its_bytes():
    made = samples.directory()
    pretty = json.dumps(json.loads(made.to_json()), indent=2).encode()
    assert read_directory(pretty, canonical=False) == made
    with pytest.raises(RefusedError, match="canonical"):
        read_directory(pretty)


def _edited(change):
    value = json.loads(samples.directory().to_json())
    change(value)
    return canonical_bytes(value)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        pytest.param(lambda v: v.update(admins=[]), "", id="a field nobody knows"),
        pytest.param(lambda v: v.update(format_version=2), "/format_version", id="a format to come"),
        pytest.param(lambda v: v.update(serial=0), "/serial", id="no serial"),
        pytest.param(lambda v: v.update(route_salt="short"), "/route_salt", id="a salt one could guess"),
        pytest.param(lambda v: v.update(environment="Dev"), "/environment", id="a bad name"),
        pytest.param(lambda v: v["shares"].update({"acme": -1}), "/shares", id="less than nothing"),
        pytest.param(
            lambda v: v.update(limits={"a/x": {"requests": {"1m": 0}}}), "/limits", id="a limit of nothing"
        ),
        pytest.param(
            lambda v: v.update(limits={"a/x": {"luck": {"1m": 1}}}),
            "/limits",
            id="a limit of what there is not",
        ),
        pytest.param(
            lambda v: v.update(limits={"a/x": {"requests": {"1w": 1}}}), "/limits", id="a period there is not"
        ),
        pytest.param(lambda v: v["keys"].update({"x": v["keys"][KEY_ID]}), "/keys", id="a bad key id"),
        pytest.param(lambda v: v["keys"][KEY_ID].update(sha256="00"), "/keys", id="no digest"),
        pytest.param(lambda v: v["keys"][KEY_ID].update(scopes=["All!"]), "/keys", id="a bad scope"),
        pytest.param(lambda v: v["keys"][KEY_ID].update(tenant="../x"), "/keys", id="a bad tenant"),
        pytest.param(lambda v: v["keys"][KEY_ID].update(expires_at="soon"), "/keys", id="no instant"),
        pytest.param(lambda v: v["keys"][KEY_ID].pop("expires_at"), "/keys", id="a field missing"),
    ],
)
def test_a_directory_is_refused_with_its_place(change, pointer):
    with pytest.raises(RefusedError) as caught:
        read_directory(_edited(change))
    assert caught.value.refused.code == "malformed_directory"
    assert caught.value.refused.json_pointer.startswith(pointer)


@pytest.mark.parametrize("canonical", [True, False])
@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"a":1.5}'])
def test_garbage_is_refused_in_code(data, canonical):
    with pytest.raises(RefusedError) as caught:
        read_directory(data, canonical=canonical)
    assert caught.value.refused.code == "malformed_directory"


def test_a_key_written_twice_is_refused_even_in_a_hand_written_file():
    text = samples.directory().to_json().decode()
    twice = text.replace('"serial":1', '"serial":1,"serial":2')
    with pytest.raises(RefusedError, match="twice"):
        read_directory(twice.encode(), canonical=False)


def test_a_directory_that_breaks_its_own_rules_is_not_written():
    with pytest.raises(msgspec.ValidationError):
        replace(samples.directory(), route_salt="short").to_json()
