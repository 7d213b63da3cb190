"""The folder a gateway starts from: whole, or not at all."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter

import pytest

from coordination.bundle import dsse
from coordination.bundle.overrides import MAX_OVERRIDES
from coordination.bundle.pointer import Pointer, open_pointer, renew, sign_pointer
from coordination.bundle.refusals import Refused, RefusedError
from coordination.bundle.root import make_root, sign_root
from coordination.bundle.state_folder import FILES, LoadedState, load_state, make_embedded_state
from coordination.program.canonical import canonical_bytes, sha256_digest
from tests.coordination.bundle import samples
from tests.coordination.bundle.samples import AT, KEY, OTHER_KEY, SECOND, THIRD_KEY

WHOLE = samples.state()


def passes(records, vectors):
    return []


def load(files, *, now=AT, **options):
    return load_state(files, passes, now=now, **options)


def code_of(files, **options):
    found = load(files, **options)
    return found.code if isinstance(found, Refused) else None


def with_pointer(keys=(KEY,), **changes):
    """The whole folder under another pointer."""
    made, keys_file = samples.bundle(), samples.directory()
    plain = samples.pointer(made, keys_file)
    fields = {name: getattr(plain, name) for name in plain.__struct_fields__}
    return {**WHOLE, "pointer.dsse.json": sign_pointer(Pointer(**fields | changes), keys)}


def test_a_whole_folder_loads():
    state = load(WHOLE, environment="dev", ring="main", pinned_root=sha256_digest(WHOLE["root.json"]))
    assert isinstance(state, LoadedState)
    assert state.bundle.records == samples.program()
    assert state.bundle.vectors == samples.vectors()
    assert state.directory == samples.directory()
    assert state.pointer.bundle == state.bundle.digest == samples.bundle().digest
    assert not state.stale


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_any_flipped_byte_of_any_file_is_refused_with_a_code(name, bit):
    """Every byte of the small files, every 13th of the tar (its reader is flipped whole elsewhere)."""
    data = WHOLE[name]
    stride = 13 if name == "bundle.tar" else 1
    codes: Counter[str] = Counter()
    for at in range(bit % stride, len(data), stride):
        flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        found = load({**WHOLE, name: flipped})
        assert isinstance(found, Refused), f"byte {at} of {name} could have been another"
        codes[found.code] += 1
    assert codes


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_grown_emptied_or_lost_is_refused(name):
    data = WHOLE[name]
    for damaged in (data[:-1], data[: len(data) // 2], data + b"\n", data + b"\0" * 512, b"", data * 2):
        assert code_of({**WHOLE, name: damaged}) is not None
    assert code_of({k: v for k, v in WHOLE.items() if k != name}) == "missing_file"


@pytest.mark.parametrize("name", FILES)
def test_no_file_of_another_state_fits(name):
    """Each is sound by itself; together they are a mix that nobody signed."""
    other = samples.state(serial=2, output=61_000)
    if name == "root.json":
        assert other[name] == WHOLE[name]
    else:
        assert code_of({**WHOLE, name: other[name]}) == "digest_mismatch"


def test_a_root_of_somebody_else_is_refused_where_ours_is_pinned():
    theirs = make_root(
        version=1, root=[OTHER_KEY.public], bundle=[OTHER_KEY.public], pointer=[OTHER_KEY.public]
    )
    files = {**WHOLE, "root.json": sign_root(theirs, [OTHER_KEY])}
    assert code_of(files, pinned_root=sha256_digest(WHOLE["root.json"])) == "digest_mismatch"
    assert code_of(files) == "unknown_key"


def test_the_pointers_key_cannot_sign_bundles():
    made, keys = samples.bundle(), samples.directory()
    split = make_root(version=1, root=[KEY.public], bundle=[OTHER_KEY.public], pointer=[THIRD_KEY.public])
    files = {
        **WHOLE,
        "root.json": sign_root(split, [KEY]),
        "pointer.dsse.json": sign_pointer(samples.pointer(made, keys), [THIRD_KEY]),
        "bundle.dsse.json": dsse.sign(made.manifest, dsse.BUNDLE, [OTHER_KEY]),
    }
    assert code_of(files) is None
    stolen = dsse.sign(made.manifest, dsse.BUNDLE, [THIRD_KEY])
    assert code_of({**files, "bundle.dsse.json": stolen}) == "unknown_key"


def test_a_bundle_that_needs_two_signatures_is_not_served_on_one():
    made, keys = samples.bundle(), samples.directory()
    careful = make_root(
        version=1,
        root=[KEY.public],
        bundle=[KEY.public, OTHER_KEY.public, THIRD_KEY.public],
        pointer=[KEY.public],
        thresholds={"bundle": 2},
    )
    files = {
        **WHOLE,
        "root.json": sign_root(careful, [KEY]),
        "pointer.dsse.json": sign_pointer(samples.pointer(made, keys), [KEY]),
    }
    assert code_of(files) == "threshold_not_met"
    two = dsse.sign(made.manifest, dsse.BUNDLE, [KEY, THIRD_KEY])
    assert code_of({**files, "bundle.dsse.json": two}) is None


@pytest.mark.parametrize(
    ("files", "options", "code"),
    [
        pytest.param(WHOLE, {"environment": "prod"}, "wrong_environment", id="for another environment"),
        pytest.param(WHOLE, {"ring": "canary"}, "wrong_ring", id="for another ring"),
        pytest.param(with_pointer(keys=[OTHER_KEY]), {}, "unknown_key", id="a pointer of another key"),
        pytest.param(with_pointer(keys=[]), {}, "threshold_not_met", id="a pointer nobody signed"),
        pytest.param(
            with_pointer(environment="prod"), {}, "wrong_environment", id="parts of two environments"
        ),
        pytest.param(
            with_pointer(bundle=samples.ROOT_TREE), {}, "digest_mismatch", id="another bundle's digest"
        ),
        pytest.param(
            with_pointer(directory=samples.ROOT_TREE), {}, "digest_mismatch", id="another directory's digest"
        ),
    ],
)
def test_a_folder_is_refused(files, options, code):
    assert code_of(files, **options) == code


def test_an_expired_pointer_is_stale_not_refused():
    for now, stale in ((AT + 600 * SECOND - 1, False), (AT + 600 * SECOND, True), (AT + 10**15, True)):
        state = load(WHOLE, now=now)
        assert isinstance(state, LoadedState)
        assert state.stale is stale


def test_a_failing_self_test_is_refused_with_what_failed():
    found = load_state(WHOLE, lambda records, vectors: [f"{vectors[0].name} failed", "another"], now=AT)
    assert isinstance(found, Refused)
    assert found.code == "self_test_failed"
    assert "tenant-0/standard/llama-3-8b failed (and 1 more)" in found.message


def test_an_override_a_gateway_cannot_enforce_stops_it_from_pretending():
    override = samples.override()
    files = with_pointer(overrides=(override,))
    assert code_of(files) == "unknown_feature"
    assert code_of(files, features=frozenset({"override-block-tenant"})) is None


def test_the_embedded_folder_loads():
    first = make_embedded_state(
        bundle=samples.bundle(),
        directory=samples.directory(),
        key=KEY,
        ring="0",
        serial=1,
        version=1,
        issued_at=AT,
        lifetime=SECOND,
    )
    state = load(first, environment="dev", ring="0")
    assert isinstance(state, LoadedState)
    assert state.pointer.order == (1, AT)


def test_a_directory_of_another_environment_is_refused_though_the_pointer_names_it():
    foreign = samples.directory(environment="prod")
    files = {**with_pointer(directory=foreign.digest), "directory.json": foreign.to_json()}
    assert code_of(files) == "wrong_environment"


def test_an_older_folder_does_not_replace_the_one_that_serves():
    newer = load(samples.state(serial=2, output=61_000))
    assert isinstance(newer, LoadedState)
    assert code_of(WHOLE, after=newer) == "replayed_serial"
    assert code_of(samples.state(serial=2, output=61_000), after=newer) is None, "itself again is none"
    assert code_of(samples.state(serial=3), after=newer) is None


def test_an_older_pointer_is_a_replay_even_with_the_same_bundle_and_directory():
    serving = load(with_pointer(serial=2))
    assert isinstance(serving, LoadedState)
    assert code_of(WHOLE, after=serving) == "replayed_serial"


def test_a_newer_pointer_to_an_older_directory_does_not_revive_a_key():
    serving = load(samples.state(serial=2))
    assert isinstance(serving, LoadedState)
    assert code_of(with_pointer(serial=3), after=serving) == "replayed_serial"


def test_a_heartbeat_is_the_same_pointer_later():
    pointer = samples.pointer(samples.bundle(), samples.directory())
    beat = renew(pointer, issued_at=AT + 5, lifetime=7)
    assert beat.order > pointer.order
    assert (beat.serial, beat.bundle, beat.lifetime) == (pointer.serial, pointer.bundle, 7)


def test_rollback_of_is_written_only_when_it_says_something():
    plain = samples.pointer(samples.bundle(), samples.directory())
    envelope = json.loads(sign_pointer(plain, [KEY]))
    assert b"rollback_of" not in b64decode(envelope["payload"])


def _signed(**changes):
    """A pointer of any content, properly signed: what a buggy control plane could send."""
    import msgspec

    value = msgspec.to_builtins(samples.pointer(samples.bundle(), samples.directory())) | changes
    return dsse.sign(canonical_bytes(value), dsse.POINTER, [KEY])


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"serial": 0}, "/serial"),
        ({"serial": "1"}, "/serial"),
        ({"version": -1}, "/version"),
        ({"bundle": "sha256:" + "A" * 64}, "/bundle"),
        ({"bundle": "sha256:" + "a" * 64 + "\n"}, "/bundle"),
        ({"ring": "../x"}, "/ring"),
        ({"expires_at": AT}, "/expires_at"),
        ({"rollback_of": None}, ""),
        ({"hidden": True}, ""),
        ({"overrides": [{}] * (MAX_OVERRIDES + 1)}, "/overrides"),
        ({"overrides": [{"kind": "root_shell"}]}, "/overrides/0"),
    ],
)
def test_a_signed_pointer_is_still_held_to_its_form(changes, pointer):
    with pytest.raises(RefusedError) as caught:
        open_pointer(_signed(**changes), {KEY.key_id: KEY.public})
    assert caught.value.refused.code == "malformed_pointer"
    assert caught.value.refused.json_pointer.startswith(pointer)


def test_a_pointer_that_breaks_its_own_rules_is_not_signed():
    made, keys = samples.bundle(), samples.directory()
    with pytest.raises(ValueError, match="expire"):
        sign_pointer(samples.pointer(made, keys, lifetime=0), [KEY])
    with pytest.raises(ValueError, match="serial"):
        sign_pointer(samples.pointer(made, keys, serial=-1), [KEY])
