"""What may stand in the repository: nothing of third parties, no address, no file too long to read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 600
LOCKS = ("requirements.lock", "requirements-dev.lock")
TOP = {
    ".ci",
    ".gitignore",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "changelog.d",
    "docs",
    "examples",
    "manage.py",
    "platform",
    "policies",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "scripts",
    "static",
    "telemetry",
    "templates",
    "tests",
}


def committed(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


def test_the_top_level_is_the_fixed_one():
    assert {name.split("/")[0] for name in committed()} <= TOP


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_package_has_hashes_and_no_registry_is_named(lock):
    text = (ROOT / lock).read_text()
    packages = re.split(r"\n(?=[a-z0-9])", text)
    assert len(packages) > 50
    unhashed = [package.split()[0] for package in packages if "--hash=sha256:" not in package]
    assert unhashed == []
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url|--find-links", text) == []


def test_the_development_lock_pins_everything_the_other_does_to_the_same_version():
    pinned = [
        dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^\s\\;]+)", (ROOT / lock).read_text(), re.M))
        for lock in LOCKS
    ]
    assert pinned[0].items() <= pinned[1].items()


def test_no_file_is_too_long_to_read():
    lengths = {
        name: len((ROOT / name).read_text().splitlines())
        for name in committed("*.py", "*.js", "*.css", "*.html", "*.sh")
        if "/migrations/" not in name
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_nothing_minified_bundled_or_vendored_is_committed():
    foreign = re.compile(
        r"(^|/)(node_modules|vendor|third_party|dist|site-packages)/|\.min\.(js|css)$|\.(whl|jar|woff2?|ttf)$"
    )
    assert [name for name in committed() if foreign.search(name)] == []


def test_no_line_names_a_registry_or_this_machine():
    # In pieces, so that this file does not find itself.
    hosts = [
        "python" + "hosted.org",
        "py" + "pi.org",
        "registry.npm" + "js",
        "/wo" + "rk/main",
        "/roo" + "t/",
    ]
    found = [
        (name, host)
        for name in committed()
        if not name.endswith((".lock", ".jsonl"))
        for host in hosts
        if host in (ROOT / name).read_text(errors="replace")
    ]
    assert found == []


def test_each_module_says_which_question_it_answers():
    # Django's own folders of commands are packages without content; headway/__init__.py must be empty.
    empty = re.compile(r"/migrations/|/management/(commands/)?__init__\.py$|^platform/headway/__init__\.py$")
    silent = [
        name
        for name in committed("platform/**/*.py", "policies/**/*.py", "telemetry/**/*.py")
        if not empty.search(name) and not (ROOT / name).read_text().startswith('"""')
    ]
    assert silent == []


def test_the_project_package_is_empty_so_that_the_gateway_never_imports_django():
    assert (ROOT / "platform/headway/__init__.py").read_text() == ""


def test_no_module_has_a_name_that_says_nothing():
    nameless = re.compile(r"(^|/)(utils?|helpers?|common|misc)(\.py|/)")
    assert [name for name in committed("*.py") if nameless.search(name)] == []
