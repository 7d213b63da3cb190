"""`headway explain`: the page of a code, as a person at a terminal reads it."""

from __future__ import annotations

import subprocess

import pytest

from coordination.compiler import rules as compiler_rules
from coordination.spec import rules as spec_rules
from headway.cli.markdown import WIDTH, render
from tests.cli.test_check import ENV, HEADWAY
from tests.support.policies import ROOT

PAGES = sorted((ROOT / "docs" / "diagnostics").glob("*.md"))


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HEADWAY, "explain", *arguments], cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=60
    )


def test_a_code_is_explained_with_an_example_and_a_remedy():
    ran = explain("cap201")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == "CAP201: Oversold pool"
    assert {"Wrong", "Right", "What to do"} <= set(lines)
    assert "    apiVersion: headway/v1" in lines


def test_without_a_code_all_are_listed():
    listed = explain().stdout
    rules = [m.RULE for m in spec_rules.MODULES] + [m.RULE for m in compiler_rules.MODULES]
    for rule in rules:
        assert rule.code in listed


@pytest.mark.parametrize(("code", "hint"), [("CAP21", "did you mean CAP201"), ("hello", "lists them all")])
def test_a_code_that_is_none_ends_with_2(code: str, hint: str):
    ran = explain(code)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert hint in ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=[p.stem for p in PAGES])
def test_every_page_fits_a_terminal_and_loses_its_markup(page):
    text = page.read_text(encoding="utf-8")
    plain = render(text, colour=False)
    assert "```" not in plain
    assert "](" not in plain
    assert "\x1b" not in plain
    prose = [line for line in plain.splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= WIDTH
    assert "\x1b[1;36m" in render(text, colour=True)


def test_markdown_is_laid_out():
    page = "# A `b`\n\nOne\ntwo [three](x.md).\n- item\n\n```yaml\na: 1\n```\n\n"
    page += "| a | b |\n|---|---|\n| l | c |\n"
    assert render(page, colour=False) == ("A `b`\n\nOne two three.\n- item\n\n    a: 1\n\na  b\nl  c\n")


def test_an_unfinished_block_ends_with_the_page():
    assert render("```\nx", colour=False) == "    x\n"


def test_the_pages_are_found_wherever_the_command_is_run():
    ran = subprocess.run(
        [*HEADWAY, "explain", "CAP201"], cwd="/", env=ENV, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0
