"""Bundles: the same policy is the same bytes, on any machine, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from coordination.bundle import dsse
from coordination.bundle.archive import read_tar, write_tar
from coordination.bundle.manifest import Manifest, ManifestFile, read_manifest
from coordination.bundle.pack import PackedBundle, pack, unpack
from coordination.bundle.refusals import Refused, RefusedError
from coordination.bundle.values import encode
from coordination.bundle.verification import Accepted, Expectations, accept
from coordination.program.canonical import sha256_digest
from coordination.program.shards import encode as encode_program
from tests.coordination.bundle import samples
from tests.coordination.bundle.samples import KEY, OTHER_KEY

GOLDEN = "sha256:585b1d0c1d395d6210131149803aa5ed45ef446b7ff804ee323f555ec5d83e69"
GOLDEN_TAR = "sha256:3a046addaf4e4e365c83626664b2081d059c7f542205b66116bccf5ed3d69efe"
"""If these change, every bundle ever built has another name: raise ``COMPILER``, and, once a version was
released, ``FORMAT_VERSION``; or undo."""

TRUSTED = {KEY.key_id: KEY.public}
ROOT = Path(__file__).resolve().parents[3]
replace = msgspec.structs.replace


def passes(records, vectors):
    return []


def signed(made: PackedBundle, keys=(KEY,)) -> bytes:
    return dsse.sign(made.manifest, dsse.BUNDLE, keys)


def repacked(change, *, program=None) -> PackedBundle:
    """A bundle with another manifest or program, whole in every other respect: a buggy builder's."""
    made = samples.bundle()
    files = read_tar(made.tar)
    files.pop("manifest.json")
    if program is not None:
        files = {path: data for path, data in files.items() if not path.startswith("program/")} | program
    manifest = change(read_manifest(made.manifest))
    manifest = replace(
        manifest,
        files=tuple(
            ManifestFile(path=path, sha256=sha256_digest(data), size=len(data))
            for path, data in sorted(files.items())
        ),
    )
    data = encode(manifest)
    return PackedBundle(write_tar({"manifest.json": data, **files}), data, sha256_digest(data))


def outcome(made: PackedBundle, expectations=None, envelope=None) -> Accepted | Refused:
    expectations = expectations or Expectations(environment="dev", digest=made.digest)
    return accept(made.tar, envelope or signed(made), TRUSTED, expectations, passes)


def code_of(*arguments, **options):
    found = outcome(*arguments, **options)
    return found.code if isinstance(found, Refused) else None


def test_the_golden_bundle():
    made = samples.bundle()
    assert made.digest == GOLDEN
    assert sha256_digest(made.tar) == GOLDEN_TAR


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_other_processes_and_hash_seeds_make_the_same_bytes(seed):
    code = (
        "from tests.coordination.bundle import samples; from hashlib import sha256;"
        "made = samples.bundle(); print(made.digest, sha256(made.tar).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}"},
    )
    made = samples.bundle()
    assert done.stdout.split() == [made.digest, sha256_digest(made.tar).removeprefix("sha256:")]


def test_the_identity_is_that_of_the_manifest_and_no_signature_is_inside():
    made = samples.bundle()
    files = read_tar(made.tar)
    assert made.digest == sha256_digest(files["manifest.json"])
    assert not [path for path in files if "dsse" in path]
    folders = {path.split("/")[0] for path in files}
    assert folders == {"manifest.json", "program", "selftest", "source_map"}


def test_the_manifest_says_what_the_build_was_a_function_of():
    manifest = unpack(samples.bundle(must_understand=("b", "a", "a")).tar).manifest
    assert manifest.root_tree == samples.ROOT_TREE
    assert (manifest.environment, manifest.at) == ("dev", samples.AT)
    assert (manifest.compiler, manifest.tzdata) == ("headway 0.1.0", "2026a")
    assert manifest.must_understand == ("a", "b")


def test_targets_travel_along_and_nothing_else_does():
    def packed(targets):
        return pack(
            samples.program(),
            samples.source_map(),
            samples.vectors(),
            root_tree=samples.ROOT_TREE,
            compiler="c",
            tzdata="t",
            targets=targets,
        )

    made = packed({"targets/envoy/rates.json": b"{}"})
    assert unpack(made.tar).under("targets") == {"targets/envoy/rates.json": b"{}"}
    with pytest.raises(ValueError, match="targets/"):
        packed({"program/all.json": b"{}"})


def test_a_bundle_by_the_right_key_is_accepted():
    found = outcome(samples.bundle())
    assert isinstance(found, Accepted)
    assert found.records == samples.program()


def test_re_signing_does_not_change_what_a_bundle_is():
    made = samples.bundle()
    both = {KEY.key_id: KEY.public, OTHER_KEY.key_id: OTHER_KEY.public}
    for keys in ([KEY], [OTHER_KEY], [KEY, OTHER_KEY]):
        found = accept(made.tar, signed(made, keys), both, Expectations(), passes)
        assert isinstance(found, Accepted)
        assert found.digest == made.digest


def test_another_sound_bundle_is_not_the_one_that_was_asked_for():
    other = samples.bundle(output=1)
    assert code_of(other, Expectations(digest=samples.bundle().digest)) == "digest_mismatch"


def test_an_archive_with_another_manifest_than_the_signed_one_is_a_broken_transfer():
    made, other = samples.bundle(), samples.bundle(output=1)
    mixed = PackedBundle(other.tar, made.manifest, made.digest)
    assert code_of(mixed) == "digest_mismatch"


def test_an_environment_is_not_promoted_by_accident():
    assert code_of(samples.bundle(), Expectations(environment="prod")) == "wrong_environment"


def test_a_feature_nobody_here_understands_is_refused_not_ignored():
    made = samples.bundle(must_understand=("lending",))
    assert code_of(made) == "unknown_feature"
    assert code_of(made, Expectations(features=frozenset({"lending"}))) is None


def test_a_program_of_another_build_than_the_manifests_is_refused():
    assert code_of(repacked(lambda m: replace(m, at=samples.AT + 1))) == "malformed_program"
    assert code_of(repacked(lambda m: replace(m, environment="prod")), Expectations()) == "malformed_program"


def test_a_signed_program_is_still_read_strictly():
    files = encode_program(samples.program())
    for path in files:
        broken = repacked(lambda m: m, program={**files, path: files[path].replace(b'"', b" ", 1)})
        assert code_of(broken) == "malformed_program"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: {**m, "format_version": 2}, id="a format to come"),
        pytest.param(lambda m: {**m, "files": m["files"][::-1]}, id="files out of order"),
        pytest.param(lambda m: {**m, "files": m["files"] * 2}, id="files twice"),
        pytest.param(lambda m: {**m, "must_understand": ["b", "a"]}, id="features out of order"),
        pytest.param(lambda m: {**m, "root_tree": "none"}, id="no root tree"),
        pytest.param(lambda m: {**m, "unknown": 1}, id="a field nobody knows"),
        pytest.param(lambda m: {k: v for k, v in m.items() if k != "at"}, id="a field missing"),
    ],
)
def test_a_malformed_manifest_is_refused_though_signed(change):
    from coordination.program.canonical import canonical_bytes

    made = samples.bundle()
    data = canonical_bytes(change(msgspec.to_builtins(read_manifest(made.manifest))))
    assert code_of(PackedBundle(made.tar, data, sha256_digest(data))) == "malformed_manifest"


def test_files_and_manifest_must_match_both_ways():
    made = samples.bundle()
    files = read_tar(made.tar)
    for damaged in (
        {**files, "program/ffff.json": b"{}"},
        {path: data for path, data in files.items() if path != "selftest/all.json"},
        {**files, "selftest/all.json": files["selftest/all.json"][:-1] + b" "},
    ):
        with pytest.raises(RefusedError) as caught:
            unpack(write_tar(damaged))
        assert caught.value.refused.code == "digest_mismatch"
    with pytest.raises(RefusedError) as caught:
        unpack(write_tar({"a": b""}))
    assert caught.value.refused.code == "missing_file"


def test_nothing_is_read_before_a_signature_holds():
    """A stranger's archive, however hostile, is refused for its signature."""
    made = samples.bundle()
    hostile = PackedBundle(b"\xff" * 600, made.manifest, made.digest)
    assert code_of(hostile, envelope=signed(made, [OTHER_KEY])) == "unknown_key"
    assert code_of(hostile) == "archive_malformed"


def test_a_failing_self_test_is_told_in_the_authors_words():
    made = samples.bundle()
    found = accept(made.tar, signed(made), TRUSTED, Expectations(), lambda r, v: ["v: expected admit"])
    assert isinstance(found, Refused)
    assert (found.code, found.message, found.retryable) == ("self_test_failed", "v: expected admit", False)


def test_vectors_are_run_against_the_program_of_the_bundle():
    seen = []
    made = samples.bundle()

    def remember(records, vectors):
        seen.append((records, vectors))
        return []

    accept(made.tar, signed(made), TRUSTED, Expectations(), remember)
    assert seen == [(samples.program(), samples.vectors())]


def test_a_manifest_is_a_value_like_any_other():
    manifest = read_manifest(samples.bundle().manifest)
    assert isinstance(manifest, Manifest)
    assert encode(manifest) == samples.bundle().manifest
