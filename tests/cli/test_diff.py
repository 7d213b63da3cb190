"""`headway diff` as people and scripts run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.policies import QUICKSTART, ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headway", "diff", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def edited(tmp_path: Path, old: str, new: str) -> str:
    for file in QUICKSTART.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace(old, new))
    return str(tmp_path)


def test_the_same_policy_twice():
    ran = run("examples/quickstart", "examples/quickstart")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "no difference\n", "")


def test_sentences_and_whom_they_reach(tmp_path: Path):
    ran = run("examples/quickstart", edited(tmp_path, "limit: 60}", "limit: 30}"))
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.splitlines()[:2] == ["narrowing", "  initech: requests a minute 60 -> 30"]
    assert "tenants reached: initech" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_json(tmp_path: Path):
    ran = run("examples/quickstart", edited(tmp_path, "limit: 60}", "limit: 30}"), "--format", "json")
    report = json.loads(ran.stdout)
    assert report["category"] == "narrowing"
    assert [change["json_pointer"] for change in report["changes"]] == ["/spec/limits/0/limit"]


def test_what_cannot_be_compared_is_said(tmp_path: Path):
    bundle = tmp_path / "policy.tar"
    built = subprocess.run(
        [sys.executable, "-m", "headway", "build", "examples/quickstart", "-o", str(bundle)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )
    assert built.returncode == 0
    ran = run("examples/quickstart", str(bundle))
    assert ran.returncode == 2
    assert "is a bundle" in ran.stderr
    ran = run("examples/quickstart", edited(tmp_path, "band: 300", "bnad: 300"))
    assert ran.returncode == 2
    assert "cannot be read as policy" in ran.stderr
