"""What was compiled says what the sources say, to the byte: of drawn loads, self-tests and simulations.

Each side runs in a process of its own, and each is asked which modules it ran. The tests need what
``make compiled`` makes of these very sources: else they are skipped, or have failed where it is required.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import compiled
from coordination.scheduling import reasons

ROOT = Path(__file__).parents[2]
REQUIRED = os.environ.get("REQUIRE_COMPILED") == "1"
HEADWAY = str(Path(sys.executable).with_name("headway"))
TELL = "import compiled; compiled.stand_in(); from tests.compiled import telling; telling.main()"
PRINTED = ("--at", "2026-12-01T00:00:00Z", "--format", "json")


@pytest.fixture(autouse=True, scope="module")
def twin() -> None:
    if compiled.standing() != "compiled":
        (pytest.fail if REQUIRED else pytest.skip)("nothing was compiled of these sources: `make compiled`")


def both(*command: str, code: int = 0) -> tuple[str, str]:
    """What a command prints when the sources run, and when what was compiled does; at the same time."""
    running = []
    for switch in ("0", "1"):
        environment = {**os.environ, "PYTHONPATH": "platform:.", compiled.SWITCH: switch}
        running.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        )
    printed = [process.communicate(timeout=100)[0] for process in running]
    assert [process.returncode for process in running] == [code, code]
    return printed[0], printed[1]


@pytest.fixture(scope="module")
def told() -> tuple[list[str], list[str]]:
    """A line of each side for each subject; last, where its modules came from."""
    sources, twin = both(sys.executable, "-c", TELL)
    return sources.splitlines(), twin.splitlines()


def modules(line: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(line)[1]
    return found


@pytest.mark.slow
def test_each_side_runs_what_it_is_meant_to(told):
    sources, twin = (modules(side[-1]) for side in told)
    assert sources["compiled"] == []
    listed = json.loads((compiled.TWIN / compiled.MANIFEST).read_bytes())["modules"]
    rules = {name for name in listed if name.startswith("coordination.")}
    assert set(twin["compiled"]) == rules
    assert "coordination.scheduling.admission" in rules & set(sources["sources"])
    assert not rules & set(twin["sources"])


@pytest.mark.slow
def test_drawn_loads_and_self_tests_are_decided_and_explained_alike(told):
    sources, twin = told
    assert len(sources) == len(twin) > 80
    different = [
        json.loads(one)[0] for one, other in zip(sources[:-1], twin[:-1], strict=True) if one != other
    ]
    assert different == []


@pytest.mark.slow
def test_what_was_told_touches_every_reason_there_is(told):
    """Without it the test above could say nothing of a rule."""
    said = {sentence for line in told[0] for sentence in sentences(json.loads(line))}
    silent = [
        name
        for name, reason in vars(reasons).items()
        if isinstance(reason, reasons.Reason)
        and not any(re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(reason.says)), one) for one in said)
    ]
    assert silent == []


def sentences(value: Any) -> Iterator[str]:
    """Every line of reasoning somewhere in a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("says"), str):
            yield value["says"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from sentences(one)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "trace", "words"),
    [
        ("batch-valley", "night.jsonl", ()),
        ("reserved-capacity", "trace.jsonl", ("--host-tokens", "100000", "--speed", "20", "--seeds", "2")),
        ("two-tenants-fair-share", "trace.jsonl", ("--speed", "20", "--against", "examples/quickstart")),
    ],
    ids=["gates", "seeds", "against"],
)
def test_the_command_reports_the_same(policy, trace, words):
    given = f"examples/{policy}", "--trace", f"examples/{policy}/{trace}", *words, *PRINTED
    sources, twin = (json.loads(one) for one in both(HEADWAY, "simulate", *given))
    assert sources.pop("wall_seconds") > 0 < twin.pop("wall_seconds")
    assert json.dumps(sources) == json.dumps(twin)


def test_a_command_says_which_it_runs():
    sources, twin = both(HEADWAY, "--version")
    assert sources.endswith("(interpreted)\n")
    assert twin.endswith("(compiled)\n")
