"""``make test``: every test but the measurements, on two processes, against real services.

PostgreSQL and Redis: those given or found on their local ports (see tests/support/services.py), else
started from their wheels for the length of this run, else the tests that need them are skipped with the
reason printed; ``REQUIRE_REAL_SERVICES=1`` turns those skips into failures. Arguments go to pytest.

A run starts hundreds of Python processes. They find every module compiled by the installation, or compile it
once between them: also where ``PYTHONDONTWRITEBYTECODE`` is set, as in many containers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.support import services, wheels

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    with ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="headway_test_")))
        environment = {
            **os.environ,
            "HEADWAY_VAR": str(folder / "var"),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if services.POSTGRES is None:
            wheels.offer(started, environment, "TEST_DATABASE_URL", wheels.postgres, folder / "postgres")
        if services.REDIS is None:
            wheels.offer(started, environment, "TEST_REDIS_URL", wheels.redis, folder / "redis")
        # A module goes to one process: what its tests share is made once, and some go on from the one before.
        spread = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
        pytest = [sys.executable, "-m", "pytest", *spread, "-m", "not bench", "-q"]
        return subprocess.call([*pytest, *arguments], cwd=ROOT, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
