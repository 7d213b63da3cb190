"""Two people sign one bundle, each with a key of their own; nobody signs what is not whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from headway.cli.parser import app
from tests.support.policies import ROOT

QUICK = str(ROOT / "examples" / "quickstart")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def built(tmp_path: Path) -> Path:
    for name in ("ada", "bob"):
        assert run("keygen", "-o", tmp_path / name).exit_code == 0
    bundle = tmp_path / "policy.tar"
    assert run("build", QUICK, "-o", bundle, "--at", "2026-11-20T00:00:00Z").exit_code == 0
    return bundle


def test_two_signatures_meet_a_threshold_of_two(built):
    folder, before = built.parent, built.read_bytes()
    keys = [word for name in ("ada", "bob") for word in ("--key", folder / f"{name}.pub")]
    signed = run("sign", built, "--key", folder / "ada")
    assert signed.exit_code == 0, signed.output
    assert run("verify", built, *keys, "--threshold", "2").exit_code == 1
    again = run("sign", built, "--key", folder / "bob")
    assert again.output.count("signed by") == 2
    verified = run("verify", built, *keys, "--threshold", "2")
    assert verified.exit_code == 0, verified.output
    assert built.read_bytes() == before
    twice = run("sign", built, "--key", folder / "bob")
    assert twice.output == again.output, "a key signs once"


def test_what_is_not_whole_is_not_signed(built):
    folder = built.parent
    assert run("sign", built, "--key", folder / "ada").exit_code == 0
    other = folder / "other.tar"
    assert run("build", QUICK, "-o", other, "--at", "2026-11-21T00:00:00Z").exit_code == 0
    mixed = run("sign", other, "--key", folder / "bob", "--envelope", folder / "policy.tar.dsse.json")
    assert mixed.exit_code == 1
    assert "do not hold the same statement" in mixed.output
    built.write_bytes(built.read_bytes()[:-600])
    assert run("sign", built, "--key", folder / "bob").exit_code == 1
    assert run("sign", folder / "nowhere", "--key", folder / "bob").exit_code == 2
    public = run("sign", other, "--key", folder / "bob.pub")
    assert public.exit_code == 2
    assert "public half" in public.output
