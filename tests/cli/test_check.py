"""`headway check` as people and scripts run it."""

from __future__ import annotations

import functools
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import headway
from tests.support.policies import QUICKSTART, ROOT

HEADWAY = [sys.executable, "-c", "from headway.cli.main import main; main()"]
ENV = {"PYTHONPATH": str(ROOT / "platform"), "PATH": os.environ["PATH"], "PYTHONUTF8": "1"}
BROKEN = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: t}\nspec: {band: 1, bnad: 2}\n"
UNUSED = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: t}\nspec: {band: 1}\n"


check = functools.partial(headway, "check")


def test_the_quickstart_is_sound_even_strictly():
    ran = check("examples/quickstart", "--strict")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[0] == "no problems found"


def test_mistakes_end_with_1_and_are_shown(tmp_path: Path):
    (tmp_path / "tier.yaml").write_text(BROKEN)
    ran = check("tier.yaml", cwd=tmp_path)
    assert ran.returncode == 1
    assert "error[SPEC005]: Tier has no field `bnad`" in ran.stdout
    assert "tier.yaml:4:17" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_json_is_one_object_on_stdout(tmp_path: Path):
    (tmp_path / "tier.yaml").write_text(BROKEN)
    ran = check("tier.yaml", "--format", "json", cwd=tmp_path)
    report = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert report["ok"] is False
    assert report["summary"] == {"error": 1, "warning": 0, "info": 0}
    assert report["diagnostics"][0]["location"] == {
        "file": "tier.yaml", "line": 4, "column": 17, "end_line": 4, "end_column": 21
    }  # fmt: skip


def test_warnings_fail_only_strict_checks():
    assert check("-", stdin=UNUSED).returncode == 0
    strict = check("-", "--strict", "--format", "json", stdin=UNUSED)
    assert strict.returncode == 1
    assert json.loads(strict.stdout)["ok"] is False
    assert json.loads(strict.stdout)["diagnostics"][0]["location"]["file"] == "<stdin>"


def test_a_dash_reads_standard_input():
    text = "---\n".join(path.read_text() for path in sorted(QUICKSTART.glob("*.yaml")))
    assert check("-", stdin=text).returncode == 0


def test_an_instant_can_be_given():
    reservation = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: old}
spec:
  tenant: acme
  pool: chat-a
  tier: priority
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  window: {until: 2025-01-01T00:00:00Z}
---
"""
    text = reservation + "---\n".join(path.read_text() for path in sorted(QUICKSTART.glob("*.yaml")))
    assert "TIME602" in check("-", "--at", "2026-01-01T00:00:00Z", stdin=text).stdout
    assert "TIME602" not in check("-", "--at", "2024-01-01T00:00:00Z", stdin=text).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere"], "nowhere: no such file or directory"),
     (["-", "--at", "yesterday"], "--at yesterday: expected an instant"),
     (["-", "--format", "xml"], "xml"), ([], "PATH")],
)  # fmt: skip
def test_what_could_not_run_ends_with_2(arguments: list[str], said: str):
    ran = check(*arguments)
    assert ran.returncode == 2
    assert said.lower() in ran.stderr.lower()
    assert ran.stdout == ""


def test_a_folder_without_policies_could_not_run(tmp_path: Path):
    (tmp_path / "README.md").write_text("nothing here")
    ran = check(str(tmp_path))
    assert ran.returncode == 2
    assert "holds no .yaml, .yml or .json file" in ran.stderr


def test_a_folder_is_read_wholly_but_for_hidden_files(tmp_path: Path):
    shutil.copytree(QUICKSTART, tmp_path / "policy" / "deep")
    (tmp_path / "policy" / ".git").mkdir()
    (tmp_path / "policy" / ".git" / "x.yaml").write_text("{")
    (tmp_path / "policy" / "extra.json").write_text("[]")
    (tmp_path / "policy" / "odd.yaml").mkdir()
    ran = check("policy", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_file_that_grows_while_it_is_read_is_not_swallowed(tmp_path: Path):
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    ran = check("big.yaml", cwd=tmp_path)
    assert ran.returncode == 1
    assert "SPEC003" in ran.stdout


def test_nothing_heavy_is_imported():
    """What makes the command quick to start: neither Django nor the formatter's YAML, nor the gateway."""
    code = (
        "import sys, headway.cli.check\n"
        "heavy = {'django', 'ruamel', 'rich', 'asyncio', 'httpx', 'uvloop', 'cryptography'} & "
        "{name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=ENV, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""


def test_colour_is_used_on_a_terminal(tmp_path: Path):
    (tmp_path / "tier.yaml").write_text(BROKEN)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*HEADWAY, "check", "tier.yaml"],
        cwd=tmp_path,
        env={**ENV, "TERM": "xterm"},
        stdout=follower,
        stdin=subprocess.DEVNULL,
    ) as process:
        process.wait(60)
        os.close(follower)
        shown = os.read(leader, 65536).decode()
        os.close(leader)
    assert "\x1b[1;31merror[SPEC005]" in shown


def test_fixing_writes_files_back_and_tells_what_is_left(tmp_path: Path):
    folder = tmp_path / "policy"
    shutil.copytree(QUICKSTART, folder)
    tiers = (folder / "tiers.yaml").read_text()
    (folder / "tiers.yaml").write_text(tiers.replace("  queue:", "  queeu:", 1) + "# the end\n")
    (folder / "tiers.yaml").chmod(0o640)
    (folder / "models.yaml").rename(tmp_path / "models.yaml")
    (folder / "models.yaml").symlink_to(tmp_path / "models.yaml")
    ran = check("policy", "--fix", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "mended 1 problem in policy/tiers.yaml\n")
    assert (folder / "tiers.yaml").read_text() == tiers + "# the end\n"
    assert (folder / "tiers.yaml").stat().st_mode & 0o777 == 0o640
    assert (folder / "models.yaml").is_symlink()
    again = check("policy", "--fix", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")


def test_without_fix_nothing_is_written(tmp_path: Path):
    (tmp_path / "tier.yaml").write_text(BROKEN)
    assert check("tier.yaml", cwd=tmp_path).returncode == 1
    assert (tmp_path / "tier.yaml").read_text() == BROKEN


def test_standard_input_cannot_be_mended():
    ran = check("-", "--fix", stdin=BROKEN)
    assert ran.returncode == 2
    assert "cannot change standard input" in ran.stderr


@pytest.mark.parametrize("form", ["sarif", "github"])
def test_scanners_and_pull_requests_have_their_own_format(form: str, tmp_path: Path):
    (tmp_path / "tier.yaml").write_text(BROKEN)
    ran = check("tier.yaml", "--format", form, cwd=tmp_path)
    assert ran.returncode == 1
    if form == "sarif":
        assert json.loads(ran.stdout)["runs"][0]["results"][0]["ruleId"] == "SPEC005"
    else:
        assert ran.stdout.startswith("::error file=tier.yaml,line=4,")
