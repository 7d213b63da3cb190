"""Emergency measures from the command line: signed by one, by two, and ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coordination.bundle.keys import PublicKey
from coordination.bundle.overrides import open_override
from headway.cli.parser import app

RAISE = (
    "raise_limit",
    "acme:total_tokens:1m",
    "--environment",
    "dev",
    "--reason",
    "the launch",
    "--by",
    "ada",
)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["override", *[str(word) for word in words]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ada", "bob"):
        assert CliRunner().invoke(app, ["keygen", "-o", str(tmp_path / name)]).exit_code == 0
    return tmp_path


def trusted(folder: Path) -> dict[str, PublicKey]:
    keys = [PublicKey.from_pem((folder / f"{name}.pub").read_bytes()) for name in ("ada", "bob")]
    return {key.key_id: key for key in keys}


def test_a_limit_is_raised_by_two_who_sign_one_file(folder):
    file = folder / "raise"
    asked = (*RAISE, "--factor", "1.5", "--approved-by", "bob", "--key", folder / "ada", "-o", file)
    signed = run("sign", *asked)
    assert signed.exit_code == 0, signed.output
    assert "bob signs too" in signed.output
    assert run("cosign", file, "--key", folder / "bob").output.count("signed by") == 2
    found = open_override(file.read_bytes(), trusted(folder), environment="dev").override
    assert (found.amount_ppm, found.by, found.approved_by) == (1_500_000, "ada", "bob")
    assert found.expires_at - found.issued_at == 3_600_000_000


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--factor", "1.5"), "second_person_needed"),
        (("--factor", "1.5", "--approved-by", "ada"), "second_person_needed"),
        (("--factor", "2.1", "--approved-by", "bob"), "override_out_of_bounds"),
        (("--factor", "1.5", "--approved-by", "bob", "--for", "5h"), "override_out_of_bounds"),
    ],
)
def test_what_may_not_be_is_not_signed(folder, more, says):
    ran = run("sign", *RAISE, *more, "--key", folder / "ada", "-o", folder / "no")
    assert ran.exit_code == 1
    assert says in ran.output
    assert not (folder / "no").exists()


def test_what_was_signed_is_ended_under_its_own_id(folder):
    file, end = folder / "block", folder / "end"
    run("sign", "block_tenant", "acme", "--environment", "dev", "--reason", "abuse", "--for", "7d",
        "--key", folder / "ada", "-o", file)  # fmt: skip
    assert run("lift", file, "--key", folder / "bob", "-o", end).exit_code == 0
    first = open_override(file.read_bytes(), trusted(folder)).override
    last = open_override(end.read_bytes(), trusted(folder)).override
    assert (last.id, last.kind, last.subject) == (first.id, first.kind, first.subject)
    assert first.issued_at < last.issued_at == last.expires_at < first.expires_at
