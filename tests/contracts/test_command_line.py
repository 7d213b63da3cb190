"""Other tools rely on these commands and options: each must exist, by exactly this name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from headway.cli.main import COMMANDS
from headway.cli.parser import app

ROOT = Path(__file__).resolve().parents[2]

FIXED = {
    "check": {"--format", "--at", "--strict"},
    "build": {"-o", "--environment", "--at", "--sign"},
    "keygen": {"-o"},
    "sign": {"--key", "--envelope"},
    "diff": {"--format", "--server", "--environment"},
    "inspect": set(),
    "verify": {"--key", "--envelope"},
    "plan": {"--server", "--environment", "--format"},
    "apply": {"--server", "--environment", "--plan-digest"},
    "status": {"--server", "--environment"},
    "rollback": {"--server", "--environment"},
    "up": {"--port", "--gateway-port", "--admin-port", "--fleet-port", "--var", "--no-demo"},
    "gateway": {"--bundle", "--key", "--directory", "--state", "--host", "--port", "--admin-port"},
    "simfleet": {"--base-port", "--replicas", "--model", "--profile", "--host"},
    "replay": {"--target", "--speed", "--limit", "--tenants", "--keys"},
    "simulate": {
        *("--trace", "--against", "--speed", "--seed", "--seeds", "--format", "--html"),
        *("--sweep", "--find", "--objective"),
    },
    "reset": {"--var", "--yes"},
}


def options(name: str) -> set[str]:
    group = get_command(app)
    command = group.get_command(None, name)  # type: ignore[attr-defined]
    assert command is not None
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("name", FIXED)
def test_each_fixed_option_exists(name):
    assert options(name) >= FIXED[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_listed_command_explains_itself(name):
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert "Usage:" in shown.output


def test_each_make_target_and_headway_command_of_the_documents_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    code = "\n".join(
        part
        for document in documents
        for part in re.findall(r"```.*?```|`[^`\n]+`", document.read_text(), re.S)
    )
    named = set(re.findall(r"\bmake ([a-z]+)\b", code))
    assert named >= {"run", "test", "check"}
    assert named <= targets
    assert set(re.findall(r"(?:^|[`\s/])headway ([a-z]+)\b", code)) <= set(COMMANDS)
