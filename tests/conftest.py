"""What does every test get? Services by marker, or a reason why not."""

from __future__ import annotations

import os

import pytest

import compiled
from tests.support import services

# Commands say that sources have changed since they were compiled, and no test expects to read that.
if compiled.standing() == "outdated":
    os.environ[compiled.SWITCH] = "0"

pytest_plugins = [
    "tests.support.garbage",
    "tests.support.databases",
    "tests.support.flushing",
    "tests.support.sqlite_file",
]

# In this process the sources run, whoever asks for what was compiled: tests look into them. Processes that
# tests start run what is there.
compiled.stand_in = lambda: "interpreted"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that take seconds come first: begun last, one of them would keep one process busy while the
    other has nothing left. Said last: pytest-django puts whatever needs no database at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.path.parent.name == "e2e"}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test whose service is missing is skipped with the reason; where services are required, it fails."""
    for name, reason in services.missing(item).items():
        if services.REQUIRED:
            pytest.fail(f"{name} is required (REQUIRE_REAL_SERVICES=1) and {reason}", pytrace=False)
        pytest.skip(f"{name}: {reason}")


@pytest.fixture
def redis_url() -> str:
    """Where Redis answers. Keys must begin with ``services.REDIS_PREFIX``; never flush."""
    assert services.REDIS is not None
    return services.REDIS
