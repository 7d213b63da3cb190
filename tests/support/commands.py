"""How does a test run ``headway`` as a person would? In this process, unless the process is tested.

Starting Python and importing what a command needs takes ten times as long as most commands take. That a
command works in a process of its own, and what it may load there, is tests/cli/test_every_command.py's.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from headway.cli.main import main
from tests.support.policies import ROOT


@dataclass(frozen=True, slots=True)
class Ran:
    """What a shell would have of it."""

    returncode: int
    stdout: str
    stderr: str


def headway(
    *words: str, stdin: str = "", cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run ``headway WORDS`` in ``cwd``, with ``environment`` beside what is not Headway's own variables.

    What would end a process with a traceback is raised.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")}
    given, out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(3))
    given.write(stdin)
    given.seek(0)
    collecting = gc.isenabled()
    with (
        patch.dict(os.environ, {**kept, **(environment or {})}, clear=True),
        patch.object(sys, "argv", ["headway", *words]),
        patch.object(sys, "stdin", given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.chdir(cwd),
    ):
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            if collecting:
                gc.enable()  # which a command that ends soon does without
    assert isinstance(code, int), code
    return Ran(code, told(out), told(err))


def told(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
