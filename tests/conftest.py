"""What does every test get? Services by marker, or a reason why not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import services

pytest_plugins = ["tests.support.databases", "tests.support.flushing", "tests.support.sqlite_file"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What the tests of a module share (a console with its gateway, say) is made once, so they go to one of
    the processes; to one for each of its parameters where it has some."""
    for item in items:
        fixtures: dict[str, Any] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  not published
        shared = [
            name
            for name, found in fixtures.items()
            if found[-1].scope == "module" and found[-1].func.__module__.startswith("tests.")
        ]
        if shared and item.get_closest_marker("xdist_group") is None:
            params = getattr(getattr(item, "callspec", None), "params", {})
            made_with = [str(params[name]) for name in sorted(shared) if name in params]
            item.add_marker(pytest.mark.xdist_group("-".join([item.path.stem, *made_with])))


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
