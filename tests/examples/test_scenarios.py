"""Every example is sound, does what it says, builds alike everywhere, and can be replayed and read about."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coordination.compiler.emitting import emit
from coordination.spec import SourceFile, read
from coordination.spec.tidying import tidy
from coordination.traces import read_trace
from headway.cli.parser import app

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GUIDES = ROOT / "docs" / "guides"
SCENARIOS = (
    "quickstart",
    "two-tenants-fair-share",
    "reserved-capacity",
    "agents",
    "batch-valley",
    "multi-region",
    "canary",
)
AT = "2026-12-01T00:00:00Z"
AT_US = 1_796_083_200_000_000
DAY_US = 86_400_000_000

run = CliRunner().invoke
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


def _files(scenario: str) -> list[SourceFile]:
    return [SourceFile(p.name, p.read_bytes()) for p in sorted((EXAMPLES / scenario).glob("*.yaml"))]


def _digest(files: list[SourceFile]) -> str:
    policy_set, misread = read(files)
    emitted = emit(policy_set, environment="dev", at=AT_US, tzdata="test")
    assert [*misread, *emitted.diagnostics] == []
    assert emitted.bundle is not None
    return emitted.bundle.digest


def test_the_examples_are_these():
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == set(SCENARIOS)


@every_scenario
@pytest.mark.parametrize("at", [AT, "2027-07-15T00:00:00Z"], ids=["winter", "summer"])
def test_it_is_sound_without_a_warning(scenario, at):
    outcome = run(app, ["check", "--strict", "--at", at, str(EXAMPLES / scenario)])
    assert outcome.exit_code == 0, outcome.output


@every_scenario
@pytest.mark.parametrize("at", [AT, "2027-07-15T00:00:00Z"], ids=["winter", "summer"])
def test_its_expectations_hold(scenario, at):
    outcome = run(app, ["test", "--at", at, str(EXAMPLES / scenario)])
    assert outcome.exit_code == 0, outcome.output
    assert re.search(r"([3-9]) of \1 hold", outcome.output)


@every_scenario
def test_it_builds(scenario, tmp_path):
    out = tmp_path / "bundle.tar"
    outcome = run(app, ["build", str(EXAMPLES / scenario), "-o", str(out), "--at", AT])
    assert outcome.exit_code == 0, outcome.output
    assert out.stat().st_size > 0


@every_scenario
def test_one_bundle_whatever_the_files(scenario):
    """Order of files, their names, one file or many, and tidying change nothing."""
    files = _files(scenario)
    expected = _digest(files)
    assert _digest([SourceFile(f"{n}.yaml", file.text) for n, file in enumerate(files[::-1])]) == expected
    documents = [part for file in files for part in file.text.split(b"\n---\n")]
    random.Random(scenario).shuffle(documents)
    assert _digest([SourceFile("one.yaml", b"\n---\n".join(documents))]) == expected
    assert _digest([SourceFile(file.name, tidy(file)) for file in files]) == expected


@every_scenario
def test_it_is_written_in_canonical_form(scenario):
    for file in _files(scenario):
        assert tidy(file) == file.text, f"run `headway fmt examples/{scenario}`"


@every_scenario
def test_its_trace_can_be_replayed(scenario):
    requests = list(read_trace(EXAMPLES / scenario / "trace.jsonl"))
    assert 50 <= len(requests) <= 200
    assert requests == sorted(requests, key=lambda request: request.arrival_us)
    window = 128_000
    assert all(r.input_tokens + r.output_tokens <= window for r in requests)


@every_scenario
def test_there_is_a_guide(scenario):
    guide = (GUIDES / f"{scenario}.md").read_text(encoding="utf-8")
    assert f"examples/{scenario}" in guide
    for name in re.findall(r"examples/([\w-]+)/([\w.]+)", guide):
        assert (EXAMPLES / name[0] / name[1]).is_file(), name


@every_scenario
def test_what_a_guide_quotes_stands_in_the_policy(scenario):
    """Quoted documents drift from the files they were taken from, unless somebody compares."""
    policy = "\n".join(file.text.decode() for file in _files(scenario))
    lines = {line.strip() for line in policy.splitlines()}
    guide = (GUIDES / f"{scenario}.md").read_text(encoding="utf-8")
    for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL):
        missing = [line for line in block.splitlines() if line.strip() and line.strip() not in lines]
        assert not missing, missing


def test_a_busy_night_keeps_its_promises_by_class_and_by_deadline(tmp_path):
    """Counted by hand of the recording: who is in which class; and a promise nobody could keep fails."""
    folder = EXAMPLES / "batch-valley"
    sent = [request for request in read_trace(folder / "night.jsonl") if request.sender is not None]
    standard = [request for request in sent if request.sender and request.sender.service_tier == "standard"]
    short = sum(request.input_tokens <= 8000 for request in standard)
    asked = ["simulate", "--trace", str(folder / "night.jsonl"), "--at", AT, "--format", "json"]
    outcome = run(app, [*asked, str(folder)])
    assert outcome.exit_code == 0, outcome.output
    told = json.loads(outcome.output)
    assert told["verdict"] == "holds"
    assert [(gate["given"], gate["kept"]) for gate in told["gates"]] == [
        (short, short),
        (len(standard) - short, len(standard) - short),
        (len(sent) - len(standard), len(sent) - len(standard)),
    ]
    assert "up to 8,000 uncached input tokens" in told["gates"][0]["says"]
    assert [one["name"] for one in told["objectives"]] == ["batch", "standard", "standard"]
    for file in _files("batch-valley"):
        eager = file.text.replace(b"target: 8s, uncached_input: {min: 8001}, tier", b"target: 9ms, tier")
        (tmp_path / file.name).write_bytes(eager)
    assert run(app, [*asked, str(tmp_path)]).exit_code == 1
