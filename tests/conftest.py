"""What does every test get? Services by marker, or a reason why not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import services

pytest_plugins = [
    "tests.support.garbage",
    "tests.support.databases",
    "tests.support.flushing",
    "tests.support.sqlite_file",
]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Names of groups do not reach xdist's own scheduler under this pytest, so tests are spread by ours."""
    if config.getoption("dist") != "loadgroup":
        return None
    from tests.support.spreading import ByModule

    return ByModule(config, log)


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
