"""`headway fmt` as people and hooks run it."""

from __future__ import annotations

import functools
import stat
from pathlib import Path

from tests.support.commands import headway

UNTIDY = "kind: Tier # a tier\napiVersion: headway/v1\nspec: {queue: {max_wait: 1s}, band: 1}\n"
TIDY = "apiVersion: headway/v1\nkind: Tier  # a tier\nspec:\n  band: 1\n  queue: {max_wait: 1s}\n"


fmt = functools.partial(headway, "fmt")


def test_files_are_rewritten_once_and_keep_their_mode(tmp_path: Path):
    file = tmp_path / "tier.yaml"
    file.write_text(UNTIDY)
    file.chmod(0o600)
    ran = fmt(".", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "formatted tier.yaml\n")
    assert file.read_text() == TIDY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = fmt(".", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == "0 formatted, 1 already were\n"


def test_check_names_what_it_would_change_and_changes_nothing(tmp_path: Path):
    (tmp_path / "tier.yaml").write_text(UNTIDY)
    ran = fmt("tier.yaml", "--check", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "would format tier.yaml\n")
    assert (tmp_path / "tier.yaml").read_text() == UNTIDY
    (tmp_path / "tier.yaml").write_text(TIDY)
    assert fmt("tier.yaml", "--check", cwd=tmp_path).returncode == 0


def test_a_dash_goes_from_input_to_output(tmp_path: Path):
    ran = fmt("-", cwd=tmp_path, stdin=UNTIDY)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, TIDY, "")


def test_a_file_that_cannot_be_read_is_explained_and_left(tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("a: [\n")
    (tmp_path / "tier.yaml").write_text(UNTIDY)
    ran = fmt(".", cwd=tmp_path)
    assert ran.returncode == 1
    assert "error[SPEC001]" in ran.stderr
    assert (tmp_path / "bad.yaml").read_text() == "a: [\n"
    assert (tmp_path / "tier.yaml").read_text() == TIDY


def test_no_such_path_could_not_run(tmp_path: Path):
    ran = fmt("nowhere", cwd=tmp_path)
    assert ran.returncode == 2
    assert "no such file" in ran.stderr
