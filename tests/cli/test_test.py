"""`headway test` as people and scripts run it."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from tests.support.commands import headway
from tests.support.policies import QUICKSTART

EXPECTATION = """\
apiVersion: headway/v1
kind: Expectation
metadata: {name: %s}
spec:
  given: {tenant: initech, model: llama-3-8b, served: %s}
  expect: {verdict: %s}
"""


run = functools.partial(headway, "test")


def quickstart_and(tmp_path: Path, *expectations: tuple[str, int, str]) -> Path:
    for file in QUICKSTART.glob("*.yaml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = "---\n".join(EXPECTATION % each for each in expectations)
    (tmp_path / "zz.yaml").write_text(text)
    return tmp_path


def test_those_that_hold_say_how_it_came_out(tmp_path: Path):
    folder = quickstart_and(tmp_path, ("first", 0, "admit"), ("sixty-first", 60, "refuse"))
    ran = run(str(folder))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "holds  sixty-first  " in ran.stdout
    assert "refuse, rate_limit_exceeded" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_one_that_fails_says_what_was_expected_what_came_and_why(tmp_path: Path):
    folder = quickstart_and(tmp_path, ("first", 0, "admit"), ("sixty-first", 60, "admit"))
    ran = run("zz.yaml", cwd=folder)
    assert ran.returncode == 2, "by itself it names objects that do not exist"
    ran = run(".", cwd=folder)
    assert ran.returncode == 1
    lines = ran.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("FAILS  sixty-first"))
    assert lines[at].endswith("zz.yaml:13:3")
    assert lines[at + 1].strip() == (
        "expected verdict admit, reason none; found verdict refuse, reason rate_limit_exceeded"
    )
    assert any(line.strip().startswith("R9  ") for line in lines[at + 2 :])
    assert lines[-1].endswith("hold, 1 fail")


def test_json_says_the_same(tmp_path: Path):
    ran = run(str(quickstart_and(tmp_path, ("sixty-first", 60, "admit"))), "--format", "json")
    report = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert report["ok"] is False
    assert report["summary"]["fails"] == 1
    failed = next(each for each in report["expectations"] if not each["holds"])
    assert failed["found"]["reason"] == "rate_limit_exceeded"


def test_where_a_request_goes_and_how_long_it_waits_is_told(tmp_path: Path):
    folder = quickstart_and(tmp_path)
    (folder / "zz.yaml").write_text("""\
apiVersion: headway/v1
kind: Expectation
metadata: {name: placed}
spec:
  given:
    tenant: acme
    model: llama-3-8b
    prompt_tokens: 20k
    fleet: {chat-a: {replicas: [{url: "http://127.0.0.1:8102", backlog: 300ms, cached: 18k}]}}
  expect: {verdict: admit, reason: prefix, wait: {at_most: 40ms}}
""")
    ran = run(str(folder))
    assert "expected wait at most 40ms; found wait 50ms" in ran.stdout
    (folder / "zz.yaml").write_text((folder / "zz.yaml").read_text().replace("40ms", "50ms"))
    ran = run(str(folder))
    assert ran.returncode == 0, ran.stdout
    assert "replica http://127.0.0.1:8102 (prefix), wait at most 50ms" in ran.stdout
    (placed,) = [
        each
        for each in json.loads(run(str(folder), "--format", "json").stdout)["expectations"]
        if each["name"] == "placed"
    ]
    found = placed["found"]
    assert (found["replica"], found["reason"]) == ("http://127.0.0.1:8102", "prefix")
    assert found["wait_us"] == 50_000


def test_a_broken_policy_cannot_be_tested(tmp_path: Path):
    folder = quickstart_and(tmp_path, ("first", 0, "admit"))
    tiers = folder / "tiers.yaml"
    tiers.write_text(tiers.read_text().replace("band: 300", "bnad: 300"))
    ran = run(str(folder))
    assert ran.returncode == 2
    assert "SPEC005" in ran.stderr
    assert "nothing could be asked of it" in ran.stderr
    assert ran.stdout == ""


def test_a_path_that_is_none():
    ran = run("nowhere")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "nowhere" in ran.stderr
