"""``headway build`` and its companions, as a person or a script uses them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headway.cli.parser import app

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "examples" / "quickstart"
AT = "2026-10-03T00:00:00Z"


def headway(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    assert headway("keygen", "-o", path).exit_code == 0
    return path


@pytest.fixture
def bundle(tmp_path, key):
    path = tmp_path / "dev.bundle"
    built = headway("build", QUICKSTART, "-o", path, "--at", AT, "--sign", key)
    assert built.exit_code == 0, built.stderr
    return path


def test_build_prints_the_digest_alone_on_standard_output(bundle, key):
    built = headway("build", QUICKSTART, "-o", bundle, "--at", AT, "--sign", key)
    digest = built.stdout.strip()
    with tarfile.open(bundle) as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None
        manifest = member.read()
    assert digest == "sha256:" + sha256(manifest).hexdigest()


def test_build_is_deterministic_across_processes_and_hash_seeds(bundle, tmp_path):
    for seed in ("0", "77"):
        other = tmp_path / f"again-{seed}"
        subprocess.run(
            [sys.executable, "-m", "headway", "build", QUICKSTART, "-o", other, "--at", AT],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
        )
        assert other.read_bytes() == bundle.read_bytes()


def test_a_comment_a_renamed_file_and_another_order_change_nothing(bundle, tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    for number, path in enumerate(sorted(QUICKSTART.glob("*.yaml"), reverse=True)):
        (folder / f"{number}.yaml").write_text("# a comment\n" + path.read_text())
    other = tmp_path / "other"
    assert headway("build", folder, "-o", other, "--at", AT).exit_code == 0
    assert other.read_bytes() == bundle.read_bytes()


def test_environment_and_instant_are_part_of_a_build(bundle, tmp_path):
    for options in (["--environment", "prod"], ["--at", "2026-10-04T00:00:00Z"]):
        other = tmp_path / "other"
        done = headway("build", QUICKSTART, "-o", other, "--at", AT, *options)
        assert done.exit_code == 0
        assert other.read_bytes() != bundle.read_bytes()


def test_mistakes_are_shown_with_their_place_and_nothing_is_written(tmp_path):
    policy = tmp_path / "tier.yaml"
    policy.write_text("apiVersion: headway/v1\nkind: Tier\nmetadata: {name: a}\nspec:\n  bandd: 3\n")
    done = headway("build", policy, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "tier.yaml:5" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nowhere", "-o", "out"], id="no such policy"),
        pytest.param([QUICKSTART, "-o", "no/such/folder/out"], id="nowhere to write"),
        pytest.param([QUICKSTART, "-o", "out", "--at", "yesterday"], id="no instant"),
        pytest.param([QUICKSTART, "-o", "out", "--environment", "../prod"], id="no name of an environment"),
        pytest.param([QUICKSTART, "-o", "out", "--sign", "nowhere"], id="no such key"),
        pytest.param([QUICKSTART, "-o", "out", "--sign", __file__], id="not a key"),
    ],
)
def test_what_cannot_run_exits_2_with_one_line(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = headway("build", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("headway build: ")
    assert done.stderr.count("\n") == 1
    assert not Path("out").exists()


def test_an_unsigned_build_takes_the_old_envelope_away(bundle):
    envelope = bundle.with_name("dev.bundle.dsse.json")
    assert envelope.exists()
    done = headway("build", QUICKSTART, "-o", bundle, "--at", AT)
    assert done.exit_code == 0
    assert not envelope.exists()
    assert "removed" in done.stderr


def test_a_signed_bundle_verifies(bundle, key):
    done = headway("verify", bundle, "--key", f"{key}.pub")
    assert done.exit_code == 0
    assert done.stdout.startswith("sha256:")
    assert "signed by sha256:" in done.stdout


def test_verify_takes_the_envelope_from_anywhere(bundle, key, tmp_path):
    moved = tmp_path / "elsewhere.json"
    bundle.with_name("dev.bundle.dsse.json").rename(moved)
    missing = headway("verify", bundle, "--key", f"{key}.pub")
    assert missing.exit_code == 2
    assert "--envelope" in missing.stderr
    assert headway("verify", bundle, "--key", f"{key}.pub", "--envelope", moved).exit_code == 0


@pytest.mark.parametrize("at", [0, 700, -1])
def test_verify_refuses_a_changed_byte(bundle, key, at):
    data = bytearray(bundle.read_bytes())
    data[at] ^= 1
    bundle.write_bytes(data)
    done = headway("verify", bundle, "--key", f"{key}.pub")
    assert done.exit_code == 1
    assert "refused" in done.stderr


def test_verify_refuses_another_key_and_counts_a_threshold(bundle, key, tmp_path):
    other = tmp_path / "other"
    headway("keygen", "-o", other)
    done = headway("verify", bundle, "--key", f"{other}.pub")
    assert (done.exit_code, "unknown_key" in done.stderr) == (1, True)
    both = ["--key", f"{key}.pub", "--key", f"{other}.pub"]
    assert headway("verify", bundle, *both).exit_code == 0
    done = headway("verify", bundle, *both, "--threshold", 2)
    assert (done.exit_code, "threshold_not_met" in done.stderr) == (1, True)


def test_verify_says_when_it_is_given_the_private_half(bundle, key):
    done = headway("verify", bundle, "--key", key)
    assert done.exit_code == 2
    assert "give KEY.pub" in done.stderr
    assert "BEGIN" not in done.output


def test_verify_of_nothing_could_not_run(key, tmp_path):
    done = headway("verify", tmp_path / "nothing", "--key", f"{key}.pub")
    assert (done.exit_code, "no such file" in done.stderr) == (2, True)


def test_inspect_shows_a_person_what_is_inside(bundle):
    done = headway("inspect", bundle)
    assert done.exit_code == 0
    for word in ("sha256:", "dev", AT, "acme", "chat-a", "program/all.json", "self-tests"):
        assert word in done.stdout


def test_inspect_tells_a_program_the_same(bundle):
    facts = json.loads(headway("inspect", bundle, "--format", "json").stdout)
    assert (facts["environment"], facts["at"], facts["format_version"]) == ("dev", AT, 1)
    assert facts["objects"]["Tenant"] == 4
    assert facts["selftests"] > 0
    assert {entry["path"].split("/")[0] for entry in facts["files"]} == {"program", "selftest", "source_map"}
    assert headway("build", QUICKSTART, "-o", bundle, "--at", AT).stdout.strip() == facts["digest"]


def test_inspect_refuses_what_is_no_bundle(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"hello")
    done = headway("inspect", path)
    assert (done.exit_code, "archive_malformed" in done.stderr) == (1, True)
    assert headway("inspect", tmp_path / "nothing").exit_code == 2
    assert headway("inspect", tmp_path).exit_code == 2


def test_a_private_key_is_for_its_owner_alone(key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert Path(f"{key}.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_keygen_prints_the_id_that_verify_will_name(bundle, tmp_path):
    key = tmp_path / "named"
    key_id = headway("keygen", "-o", key).stdout.strip()
    headway("build", QUICKSTART, "-o", bundle, "--at", AT, "--sign", key)
    assert key_id in headway("verify", bundle, "--key", f"{key}.pub").stdout


@pytest.mark.parametrize("half", ["", ".pub"])
def test_keygen_does_not_overwrite_either_half_unless_forced(tmp_path, half):
    key = tmp_path / "key"
    Path(f"{key}{half}").write_text("precious")
    done = headway("keygen", "-o", key)
    assert done.exit_code == 2
    assert "--force" in done.stderr
    assert Path(f"{key}{half}").read_text() == "precious"
    assert headway("keygen", "-o", key, "--force").exit_code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_keygen_makes_another_key_each_time(tmp_path):
    ids = {headway("keygen", "-o", tmp_path / str(n)).stdout for n in range(3)}
    assert len(ids) == 3


def test_keygen_needs_a_folder_to_write_to(tmp_path):
    done = headway("keygen", "-o", tmp_path / "no" / "key")
    assert (done.exit_code, "no such file" in done.stderr) == (2, True)
