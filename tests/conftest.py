"""What does every test get? Services by marker, or a reason why not."""

from __future__ import annotations

import pytest

from tests.support import services

pytest_plugins = ["tests.support.databases", "tests.support.flushing"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test whose service is missing is skipped with the reason; in CI it fails (see below)."""
    for item in items:
        for name, reason in services.missing(item).items():
            if not services.REQUIRED:
                item.add_marker(pytest.mark.skip(reason=f"{name}: {reason}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for name, reason in services.missing(item).items():
        pytest.fail(f"{name} is required (REQUIRE_REAL_SERVICES) and {reason}", pytrace=False)


@pytest.fixture
def redis_url() -> str:
    """Where Redis answers. Keys must begin with ``services.REDIS_PREFIX``; never flush."""
    assert services.REDIS is not None
    return services.REDIS
