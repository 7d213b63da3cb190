"""A plain command line is read as Typer reads it, and everything else is left to Typer."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from headway.cli import plain
from headway.cli.main import COMMANDS, SHORT
from headway.cli.parser import spelled_out
from headway.cli.words import Argument, Option

ROOT = Path(__file__).parents[2]
HEADWAY = [sys.executable, "-m", "headway"]


class Form(enum.StrEnum):
    text = "text"
    json = "json"


SEEN: list[dict[str, Any]] = []


def command(
    path: Annotated[str, Argument(help="A file.")],
    out: Annotated[Path, Option("-o", "--out", help="Where to.")],
    output: Annotated[Form, Option("--format", help="How.")] = Form.text,
    at: Annotated[str, Option(help="When.")] = "",
    strict: Annotated[bool, Option("--strict", help="Sternly.")] = False,
    loud: Annotated[bool, Option(help="With a counterpart.")] = False,
    limit: Annotated[int | None, Option(min=1, help="A number.")] = None,
    sign: Annotated[Path | None, Option(help="A key.")] = None,
) -> None:
    SEEN.append({k: v for k, v in locals().items() if k not in ("path",)} | {"path": path})


APP = typer.Typer(add_completion=False, rich_markup_mode=None)
APP.command()(spelled_out(command))
WORDS = st.lists(
    st.sampled_from(
        ("a", "-", "--out", "-o", "b", "--out=c", "--format", "json", "--format=text", "xml", "--at", "--at=",
         "--strict", "--strict=1", "--loud", "--no-loud", "--limit", "3", "--limit=3", "--sign", "k",
         "--help", "--", "--for", "", "--sign=")
    ),
    max_size=7,
)  # fmt: skip


@settings(deadline=None)  # Typer builds its parser anew for each
@given(WORDS)
def test_what_is_read_is_what_typer_reads(words):
    found = plain.read(command, words)
    if found is None:
        return
    SEEN.clear()
    outcome = CliRunner().invoke(APP, words)
    assert outcome.exit_code == 0, (words, outcome.output)
    command(**found)
    assert SEEN[0] == SEEN[1]


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["a", "-o", "b"], {"path": "a", "out": Path("b")}),
        (["-", "--out=b", "--strict"], {"path": "-", "out": Path("b"), "strict": True}),
        (["--format", "json", "a", "-o", "b"], {"path": "a", "out": Path("b"), "output": Form.json}),
        (["a"], None),
        (["a", "b", "-o", "c"], None),
        (["a", "-o", "b", "--limit", "3"], None),
        (["a", "-o", "b", "--loud"], None),
        (["a", "-o", "b", "--format", "xml"], None),
        (["a", "-o", "--strict"], None),
        (["--help"], None),
    ],
)
def test_what_is_plain(words, read):
    assert plain.read(command, words) == read


def test_what_may_come_from_elsewhere_is_left_to_typer(monkeypatch):
    def from_a_variable(server: Annotated[str, Option(help="Whom.", envvar="SERVER")] = "") -> None: ...

    monkeypatch.setenv("SERVER", "y")
    assert plain.read(from_a_variable, []) is None
    assert plain.read(from_a_variable, ["--server", "x"]) is None
    monkeypatch.delenv("SERVER")
    assert plain.read(from_a_variable, []) == {}
    assert plain.read(from_a_variable, ["--server", "x"]) == {"server": "x"}


@pytest.mark.parametrize("words", [["check"], ["nonsense"]])
def test_what_cannot_be_understood_ends_with_2(words):
    done = subprocess.run([*HEADWAY, *words], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_a_reader_that_has_gone_away_is_no_crash():
    script = f"{sys.executable} -m headway explain CAP201 | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() in ("0", "1")


def test_short_commands_are_commands():
    assert set(COMMANDS) >= SHORT


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("headway che", {"check"}),
        ("headway check --form", {"--format"}),
        ("headway check --format ", {"text", "json", "sarif", "github"}),
        ("headway schema T", {"Tenant", "Tier"}),
        ("headway explain CAP20", {"CAP201", "CAP209"}),
    ],
)
def test_completion_offers_what_could_come_next(typed, offered):
    script = "from headway.cli.main import main\nmain()"
    words = typed.split(" ")
    environment = {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "_HEADWAY_COMPLETE": "complete_bash",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment
    )
    assert offered <= set(done.stdout.split()), done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(shell):
    # Otherwise Typer asks the processes above which shell it is in; in a test there may be none.
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [*HEADWAY, "--show-completion", shell], capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == 0
    assert "_HEADWAY_COMPLETE" in done.stdout
