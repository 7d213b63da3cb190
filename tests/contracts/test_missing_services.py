"""A missing service skips its tests and says why; where services are required, it fails them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("required", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_without_a_browser(required, outcome):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-k",
            "wrong_password and light",
            "tests/e2e/test_sign_in_and_status.py",
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": "/nonexistent", "REQUIRE_REAL_SERVICES": required},
        capture_output=True,
        text=True,
    )
    assert "no Chromium is on PATH" in done.stdout
    assert outcome in done.stdout.splitlines()[-1]
