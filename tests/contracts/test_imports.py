"""Who may import whom holds, and the contracts are able to fail."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"


def test_the_contracts_hold():
    done = subprocess.run([str(LINT), "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module", ["gateway.main", "simfleet.fleet", "coordination.scheduling", "headway.cli.main"]
)
def test_what_runs_without_django_does_not_load_it(module):
    probe = (
        f"import sys, {module}; print(sorted({{'django', 'rest_framework', 'celery'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_command_line_lists_its_commands_without_importing_any():
    probe = textwrap.dedent("""
        import sys
        from headway.cli.main import COMMANDS
        from headway.cli.parser import app
        try:
            app(["--help"], prog_name="headway")
        except SystemExit:
            pass
        print([module for module, _ in COMMANDS.values() if module in sys.modules])
    """)
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize(
    ("words", "may"),
    [
        (["--version"], set()),
        (
            ["check", "examples/quickstart"],
            {"coordination", "msgspec", "orjson", "typing_extensions", "tzdata", "xxhash", "yaml"},
        ),
    ],
)
def test_a_quick_command_loads_no_more_than_it_needs(words, may):
    """Of what is not the standard library's. Typer alone would cost as much again as the policy language."""
    probe = textwrap.dedent(f"""
        import atexit, sys
        before = set(sys.modules)
        sys.argv = ["headway", *{words}]
        atexit.register(lambda: print({{name.partition(".")[0] for name in set(sys.modules) - before}}))
        from headway.cli.main import main
        main()
    """)
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    loaded = ast.literal_eval(done.stdout.splitlines()[-1])
    built = {name for name in loaded if name.startswith("_") or name == "cython_runtime"}
    assert loaded - built - sys.stdlib_module_names - {"compiled", "headway"} == may
