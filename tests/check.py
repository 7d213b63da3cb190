"""``make check``: does the code keep the house's rules? Every tool runs; failures are shown at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CODE = ("manage.py", "platform", "policies", "telemetry", "tests", "benchmarks")
TWO_CORES = 2

CHECKS: dict[str, tuple[str, ...]] = {
    # The slowest first: the others run beside it.
    "types (mypy --strict)": (str(BIN / "mypy"), *(name for name in CODE if (ROOT / name).exists())),
    "lint (ruff check)": (str(BIN / "ruff"), "check", "--quiet", "--output-format", "concise", "."),
    "format (ruff format)": (str(BIN / "ruff"), "format", "--check", "--quiet", "."),
    "imports (import-linter)": (str(BIN / "lint-imports"), "--no-logo"),
    "django check": (sys.executable, "manage.py", "check", "--fail-level", "WARNING"),
    "migrations complete": (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    command: tuple[str, ...]
    code: int
    output: str
    seconds: float


def run(name: str, command: tuple[str, ...]) -> Outcome:
    """One tool, its output kept."""
    began = time.monotonic()
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "headway.settings.test"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Outcome(name, command, done.returncode, done.stdout, time.monotonic() - began)


def main() -> int:
    say = sys.stdout.write
    failed = []
    with tempfile.TemporaryDirectory(prefix="headway_check_") as var, ThreadPoolExecutor(TWO_CORES) as pool:
        os.environ["HEADWAY_VAR"] = var
        for future in as_completed([pool.submit(run, name, command) for name, command in CHECKS.items()]):
            outcome = future.result()
            say(f"{'FAILED' if outcome.code else 'ok':<8}{outcome.seconds:5.1f} s  {outcome.name}\n")
            sys.stdout.flush()
            if outcome.code:
                failed.append(outcome)
    for outcome in failed:
        say(f"\n--- {outcome.name}: {' '.join(outcome.command)}\n{outcome.output.rstrip()}\n")
    say(f"\n{len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
