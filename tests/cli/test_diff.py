"""`headway diff` as people and scripts run it."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from tests.support.commands import headway
from tests.support.policies import QUICKSTART

run = functools.partial(headway, "diff")


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


def built(tmp_path: Path, policy: str, *options: str) -> str:
    """A bundle of a policy."""
    bundle = tmp_path / f"{len(list(tmp_path.glob('*.tar')))}.tar"
    done = headway("build", policy, "-o", str(bundle), *options)
    assert done.returncode == 0, done.stderr
    return str(bundle)


def test_bundles_and_folders_in_any_order(tmp_path: Path):
    folder = tmp_path / "edited"
    folder.mkdir()
    old = built(tmp_path, "examples/quickstart", "--at", "2026-11-20T00:00:00Z")
    new = built(tmp_path, edited(folder, "limit: 60}", "limit: 30}"), "--at", "2026-11-26T00:00:00Z")
    for sides in ((old, new), (old, str(folder)), ("examples/quickstart", new)):
        ran = run(*sides)
        assert (ran.returncode, ran.stderr) == (1, "")
        assert ran.stdout.splitlines()[:2] == ["narrowing", "  initech: requests a minute 60 -> 30"]
        assert "tenants reached: initech" in ran.stdout
    ran = run(old, "examples/quickstart", "--format", "json")
    assert (ran.returncode, json.loads(ran.stdout)["changes"]) == (0, [])
    assert json.loads(ran.stdout)["environment"] == "dev"


def test_standard_input_is_one_side_of_it():
    text = "---\n".join(f.read_text() for f in QUICKSTART.glob("*.yaml") if f.stem != "expectations")
    ran = run("examples/quickstart", "-", stdin=text)
    assert ran.returncode == 1, ran.stderr
    assert "initech-is-held-to-sixty-requests-a-minute: expectation removed" in ran.stdout


def test_what_cannot_be_compared_is_said(tmp_path: Path):
    bundle = Path(built(tmp_path, "examples/quickstart"))
    bundle.write_bytes(bundle.read_bytes()[:-700])
    broken = edited(tmp_path, "band: 300", "bnad: 300")
    for sides, says in (
        (("examples/quickstart", str(bundle)), "is not a sound bundle"),
        (("examples/quickstart", broken), "cannot be read as policy"),
        (("-", "-"), "standard input"),
        (("revision:1", "examples/quickstart"), "--server is not given"),
        (("examples/quickstart", "no-such-folder"), "no such file"),
    ):
        ran = run(*sides)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert says in ran.stderr
        assert "Traceback" not in ran.stderr
