"""``headway simulate`` as somebody in a repository or in CI meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headway.cli.parser import app

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "examples" / "quickstart"
TRACE = QUICKSTART / "trace.jsonl"


def run(*arguments: object):
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def as_json(*arguments: object):
    done = run(*arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def in_turn(tmp_path):
    """The quickstart with another placement."""
    for file in QUICKSTART.glob("*.yaml"):
        text = file.read_text().replace("strategy: balanced", "strategy: round_robin")
        (tmp_path / file.name).write_text(text)
    return tmp_path


def test_a_policy_under_its_trace_as_json_and_as_tables():
    told = as_json(QUICKSTART, "--trace", TRACE)
    assert (told["requests"], told["completed"]) == (120, 120)
    assert told["wall_seconds"] > 0
    assert set(told["tenants"]) == {"acme", "globex", "initech", "umbrella"}
    done = run(QUICKSTART, "--trace", TRACE)
    assert done.exit_code == 0
    for words in ("120 requests: 120 completed", "time to first token", "acme-chat", "R4  route"):
        assert words in done.stdout
    for words in (
        "tokens/s in",
        "share lag: ",
        "pool chat-a ",
        "replica 127.0.0.1:8101",
        "most waiting",
        "spend",
    ):
        assert words in done.stdout


def test_the_same_command_gives_the_same_report_and_another_seed_another():
    first, again, other = (
        {
            k: v
            for k, v in as_json(QUICKSTART, "--trace", TRACE, "--seed", seed).items()
            if k != "wall_seconds"
        }
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first["inputs"]["digest"] != other["inputs"]["digest"]
    assert first["tenants"] != other["tenants"]


def test_two_policies_meet_the_same_arrivals(in_turn, tmp_path):
    page = tmp_path / "page.html"
    told = as_json(QUICKSTART, "--against", in_turn, "--trace", TRACE, "--seeds", 2, "--html", page)
    assert told["against"]["requests"] == told["requests"] == 120
    assert told["against"]["inputs"]["policy"] != told["inputs"]["policy"]
    assert told["against"]["inputs"]["trace"] == told["inputs"]["trace"]
    assert told["difference"]["cache.token_hit"]["plus_minus"] is not None
    assert told["seeds"]["count"] == 2
    text = page.read_text()
    assert "Against each other" in text
    assert "Plotly.react" in text
    for title in (
        "Latency by part, this policy",
        "Pools, the other policy",
        "Gates, this policy",
        "Over time, ",
    ):
        assert title in text
    assert "Every gate holds." in text
    assert "Share lag: " in text
    assert told["inputs"]["digest"] in text
    assert "src=" not in text.split("<script>")[0]
    assert "the other" in run(QUICKSTART, "--against", in_turn, "--trace", TRACE).stdout


def test_seeds_alone_give_the_spread():
    assert "over 2 seeds" in run(QUICKSTART, "--trace", TRACE, "--seeds", 2).stdout


def test_the_mix_says_who_sends():
    told = as_json(
        QUICKSTART, "--trace", TRACE, "--mix", "acme:priority=3", "--mix", "acme:flex", "--limit", 80
    )
    assert told["requests"] == 80
    assert set(told["tenants"]) == {"acme"}
    assert set(told["tiers"]) == {"priority", "flex"}


def test_a_bundle_is_simulated_as_its_documents_are(tmp_path):
    bundle = tmp_path / "quickstart.tar"
    at = ("--at", "2026-01-01T00:00:00Z")
    assert CliRunner().invoke(app, ["build", str(QUICKSTART), "-o", str(bundle), *at]).exit_code == 0
    from_bundle = as_json(bundle, "--trace", TRACE)
    from_documents = as_json(QUICKSTART, "--trace", TRACE, *at)
    assert from_bundle["inputs"] == from_documents["inputs"]
    assert from_bundle["worst"] == from_documents["worst"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("nowhere",), "nowhere: no such file", id="no policy"),
        pytest.param((QUICKSTART, "--trace", "nowhere"), "nowhere: No such file", id="no trace"),
        pytest.param((QUICKSTART, "--trace", QUICKSTART / "tiers.yaml"), "yaml:1: neither", id="not a trace"),
        pytest.param((QUICKSTART, "--mix", "acme:a=b"), "--mix acme:a=b", id="a bad mix"),
        pytest.param((QUICKSTART, "--mix", "nobody"), "no tenant nobody", id="no such tenant"),
        pytest.param((QUICKSTART, "--mix", "acme=0"), "weight above 0", id="nobody sends"),
        pytest.param((QUICKSTART, "--model", "x"), "no such model", id="no such model"),
        pytest.param((TRACE,), "trace.jsonl", id="not a bundle"),
        pytest.param((QUICKSTART, "--at", "noon"), "--at noon", id="not an instant"),
    ],
)
def test_what_cannot_be_simulated_is_one_line_and_exit_2(arguments, says):
    done = run(*arguments, *(() if "--trace" in arguments else ("--trace", TRACE)))
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_policy_with_mistakes_is_told_as_check_tells_it(tmp_path):
    (tmp_path / "a.yaml").write_text("apiVersion: headway/v1\nkind: Nothing\nmetadata: {name: a}\nspec: {}\n")
    done = run(tmp_path, "--trace", TRACE)
    assert done.exit_code == 1
    assert "SPEC012" in done.stderr


def test_traffic_may_be_described_instead_of_recorded(tmp_path):
    described = tmp_path / "agents.json"
    client = {"tenant": "acme", "service_tier": "flex", "sessions_per_second": 2, "turns": 8}
    described.write_text(json.dumps({"requests": 200, "clients": [client]}))
    told = as_json(QUICKSTART, "--trace", described)
    assert told["requests"] == 200
    assert set(told["tiers"]) == {"flex"}
    described.write_text('{"requests": 0}')
    done = run(QUICKSTART, "--trace", described)
    assert done.exit_code == 2
    assert "agents.json: " in done.stderr


def test_a_sweep_turns_one_number_and_shows_what_moves():
    told = as_json(QUICKSTART, "--trace", TRACE, "--sweep", "speed=1,20")
    slow, quick = (one["figures"] for one in told["tried"])
    assert [one["value"] for one in told["tried"]] == [1, 20]
    assert quick["itl.mean"] > slow["itl.mean"]
    done = run(QUICKSTART, "--trace", TRACE, "--sweep", "release_after=0,1")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("release_after")


def test_the_smallest_fleet_that_keeps_a_promise_is_found():
    given = (QUICKSTART, "--trace", TRACE, "--speed", 40, "--find", "replicas")
    told = as_json(*given, "--objective", "ttft.p95<=200ms")
    assert told["found"] == max(1, told["found"])
    assert {one["value"]: one["holds"] for one in told["tried"]}[told["found"]]
    done = run(*given, "--limit", 10, "--objective", "ttft.p50<=1ms")
    assert done.exit_code == 1
    assert "no fleet tried keeps ttft.p50<=1ms" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--sweep", "speed=fast"), "not KNOB=A,B,C", id="no number"),
        pytest.param(("--sweep", "colour=1"), "not one of", id="no knob"),
        pytest.param(("--find", "replicas"), "--find with --objective", id="no objective"),
        pytest.param(("--find", "speed", "--objective", "refused<=1%"), "only replicas", id="no fleet"),
        pytest.param(("--find", "replicas", "--objective", "quick"), "not like", id="not an objective"),
        pytest.param(("--sweep", "speed=1", "--seeds", 2), "no --against", id="both at once"),
    ],
)
def test_a_study_that_makes_no_sense_is_one_line_and_exit_2(arguments, says):
    done = run(QUICKSTART, "--trace", TRACE, *arguments)
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_gates_make_it_a_check(tmp_path):
    told = as_json(QUICKSTART, "--trace", TRACE)
    assert told["verdict"] == "holds"
    assert {one["name"] for one in told["gates"]} == {"a-day-keeps-its-promises"}
    for file in QUICKSTART.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace("target: 400ms", "target: 2ms"))
    done = run(tmp_path, "--trace", TRACE, "--seeds", 2)
    assert done.exit_code == 1
    (failed,) = (line for line in done.stdout.splitlines() if "ttft p95 at most 2ms" in line)
    assert failed.startswith("a-day-keeps-its-promises")
    assert failed.endswith("120  FAILS")
    assert done.stdout.count("holds") > 2
    against = as_json(QUICKSTART, "--trace", TRACE, "--against", tmp_path)
    assert against["verdict"] == "holds"  # the other's gates are the other's


def test_a_bundle_brings_the_promises_its_gateways_count_and_no_gates(tmp_path):
    bundle = tmp_path / "q.bundle"
    assert CliRunner().invoke(app, ["build", str(QUICKSTART), "-o", str(bundle)]).exit_code == 0
    told = as_json(bundle, "--trace", TRACE)
    assert (told["verdict"], told["gates"]) == (None, [])
    said = {one["says"] for one in as_json(QUICKSTART, "--trace", TRACE)["objectives"]}
    carried = [one["says"] for one in told["objectives"]]
    assert sorted(carried) == sorted(one for one in said if one.startswith("ttft"))
