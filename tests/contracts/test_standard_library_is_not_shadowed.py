"""``platform/`` is a source root, not a package: ``import platform`` is the standard library's everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDARD = str(Path(sysconfig.get_path("stdlib")) / "platform.py")
PROBE = "import platform; print(platform.__file__)"
BIN = Path(sys.executable).parent


def output_of(*command: str) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "headway.settings.test"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_source_root_holds_no_module_of_its_own():
    assert [
        path.name for path in (ROOT / "platform").iterdir() if path.suffix in (".py", ".pyi", ".so")
    ] == []


def test_under_pytest():
    import platform

    assert platform.__file__ == STANDARD


def test_under_plain_python_in_the_checkout():
    assert output_of(sys.executable, "-c", PROBE).strip() == STANDARD


def test_under_manage_py():
    assert (
        output_of(sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", PROBE).strip()
        == STANDARD
    )


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("uvicorn", ["--version"]), ("celery", ["report"])],
)
def test_under_servers_that_ask_it_for_the_system_and_run_in_the_checkout(tool, arguments):
    # Both call the standard library's platform.system(): a shadow would end them with an AttributeError.
    import platform

    assert platform.system() in output_of(sys.executable, "-m", tool, *arguments)


def test_under_the_headway_command():
    entry = "import sys, headway.cli.main; import platform; print(platform.__file__)"
    assert output_of(sys.executable, "-c", entry).strip() == STANDARD
    assert "Usage: headway" in output_of(str(BIN / "headway"), "--help")


def test_no_package_in_the_source_root_has_the_name_of_a_standard_module():
    ours = {path.name for path in (ROOT / "platform").iterdir() if path.is_dir()} | {"policies", "telemetry"}
    assert ours & sys.stdlib_module_names == set()


SHADOWS = ["platform/__init__.py", "platform/queue.py", "platform/queue/__init__.py"]


@pytest.mark.parametrize("shadow", SHADOWS)
def test_ruff_would_object_to_a_shadow(tmp_path, shadow):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / shadow).parent.mkdir(parents=True)
    (tmp_path / shadow).write_text('"""A shadow."""\n')
    done = subprocess.run(
        [str(BIN / "ruff"), "check", "--select", "A005", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "A005" in done.stdout
