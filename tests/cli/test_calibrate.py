"""``headway calibrate`` as somebody with measurements meets it, and what its profile is good for then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coordination.capacity import PROFILES
from headway.cli.parser import app
from tests.support.virtual_engine import serve, traffic

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
TRACE = QUICKSTART / "trace.jsonl"
LIKE = ("--like", "llama-3-70b-h100-tp4")


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A recording and a file of scrapes of one replica on A100."""
    folder = tmp_path_factory.mktemp("measured")
    served = serve(PROFILES["llama-3-70b-a100-tp4"], traffic(200, 0.3), scrape_every=30.0)
    (folder / "day.recording.jsonl").write_bytes(served.recording())
    (folder / "scrapes.txt").write_bytes(b"".join(served.pages))
    for number, page in enumerate(served.pages):
        (folder / f"page-{number:03}.txt").write_bytes(page)
    return folder


@pytest.fixture(scope="module")
def profile(measured):
    file = measured / "mine.json"
    done = run("calibrate", measured / "day.recording.jsonl", *LIKE, "--name", "ours-a100", "-o", file)
    assert done.exit_code == 0, done.output
    return file, done.stdout


def test_a_recording_becomes_a_profile_and_a_pool_to_copy(profile):
    file, said = profile
    made = json.loads(file.read_bytes())
    assert made["profile"]["name"] == "ours-a100"
    assert made["fit"]["errors"]["held_out"]["itl"]["after"]["median"] < 0.05
    assert made["fit"]["like"] == LIKE[1]
    for words in (
        "weights",
        "itl, held out",
        "replayed by itself",
        "profile: ours-a100",
        f"written to {file}",
    ):
        assert words in said
    capacity = made["capacity"]
    assert f"    input: {capacity['input']} tokens/min" in said
    assert 200_000 < capacity["input"] < 400_000  # of an A100, not of the H100 it started from


def test_it_prints_as_json_what_it_writes(measured, profile):
    done = run(
        "calibrate", measured / "day.recording.jsonl", *LIKE, "--name", "ours-a100", "--format", "json"
    )
    assert {**json.loads(profile[0].read_bytes()), "written": None} == json.loads(done.stdout)


def test_a_pool_is_simulated_as_what_was_measured(profile):
    def ttft(*options: object) -> tuple[float, dict[str, Any]]:
        done = run("simulate", QUICKSTART, "--trace", TRACE, "--format", "json", *options)
        assert done.exit_code in (0, 1), done.output  # its gates are of what it was written for
        told = json.loads(done.stdout)
        return told["ttft"]["mean"], told["inputs"]

    plain, inputs = ttft()
    slow, changed = ttft("--profile", f"chat-a={profile[0]}", "--profile", f"chat-b={profile[0]}")
    assert slow > 1.3 * plain  # a 70B model on A100 in the place of an 8B one on H100
    assert inputs["profiles"] == {}
    assert set(changed["profiles"]) == {"chat-a", "chat-b"}
    assert inputs["digest"] != changed["digest"]


def test_a_pool_may_name_it_and_a_fit_may_go_on_from_it(profile, measured, tmp_path):
    for file in QUICKSTART.glob("*.yaml"):
        text = file.read_text().replace("profile: llama-3-8b-h100-tp1", "profile: ours-a100")
        (tmp_path / file.name).write_text(text.replace("engine: simulated", "engine: vllm"))
    done = run(
        "simulate", tmp_path, "--trace", TRACE, "--limit", 10, "--format", "json", "--profile", profile[0]
    )
    assert done.exit_code == 0, done.output
    assert set(json.loads(done.stdout)["inputs"]["profiles"]) == {"chat-a", "chat-b"}
    again = run("calibrate", measured / "day.recording.jsonl", "--like", profile[0], "--format", "json")
    factors = [one["factor"] for one in json.loads(again.stdout)["fit"]["coefficients"].values()]
    assert factors == pytest.approx([1.0] * 7, rel=0.1)


def test_scrapes_in_one_file_and_in_a_file_each_are_the_same(measured):
    pages = sorted(measured.glob("page-*.txt"))
    assert len(pages) > 10
    together = run("calibrate", measured / "scrapes.txt", *LIKE, "--format", "json")
    apart = run("calibrate", *pages, *LIKE, "--format", "json")
    assert together.exit_code == apart.exit_code == 0, together.output
    assert json.loads(together.stdout) == json.loads(apart.stdout)
    assert json.loads(apart.stdout)["profile"]["kv_tokens"] == 430_080


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param((TRACE, *LIKE), "neither a recording, nor", id="a trace without times"),
        pytest.param(("nowhere", *LIKE), "nowhere: no such file", id="no file"),
        pytest.param(
            ("{}/day.recording.jsonl", "{}/scrapes.txt", *LIKE), "one table at a time", id="two kinds"
        ),
        pytest.param(("{}/page-000.txt", *LIKE), "are needed", id="one page"),
        pytest.param(("{}/day.recording.jsonl", *LIKE, "--model", "x"), "0 answers", id="another model"),
        pytest.param(("{}/day.recording.jsonl", *LIKE, "--name", "A B"), "--name A B", id="a bad name"),
        pytest.param(("{}/day.recording.jsonl", "--like", TRACE), "not a profile", id="like a trace"),
    ],
)
def test_what_cannot_be_fitted_is_one_line_and_exit_2(measured, arguments, says):
    done = run("calibrate", *(str(one).replace("{}", str(measured)) for one in arguments))
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("nope=nope.json", "nope.json: there is no such file"),
        ("{}", "no pool is of profile ours-a100"),
        ("nope={}", "there is no pool nope"),
    ],
)
def test_a_profile_that_fits_no_pool_is_told(profile, option, says):
    done = run("simulate", QUICKSTART, "--trace", TRACE, "--profile", option.replace("{}", str(profile[0])))
    assert done.exit_code == 2
    assert says in done.stderr
