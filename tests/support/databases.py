"""On which database does a test run? SQLite, unless it is marked ``postgres``.

Django has one database called ``default``, and services use it by that name. For a marked test the name
stands for PostgreSQL while the test runs; for all others it is SQLite in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

DEFAULT, POSTGRES = "default", "postgres"


class _Switch:
    """Which database the name ``default`` stands for. Nothing moves before the databases exist."""

    def __init__(self) -> None:
        self.ready = False
        self.wanted = DEFAULT
        self.own: dict[str, tuple[Any, Any]] = {}
        """Alias -> (settings, connection of the main thread), as they were made."""

    def apply(self) -> None:
        from django.db import connections

        if not self.ready:
            return
        for alias in (DEFAULT, POSTGRES):
            self.own.setdefault(alias, (connections.settings[alias], connections[alias]))
        # Exchanged, not copied: Django forbids a test every database but the one named ``default``.
        other = POSTGRES if self.wanted == DEFAULT else DEFAULT
        for alias, stands_for in ((DEFAULT, self.wanted), (POSTGRES, other)):
            entry, connection = self.own[stands_for]
            connections.settings[alias] = entry  # what other threads will open
            connections[alias] = connection
            connection.alias = alias


_switch = _Switch()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _switch.wanted = POSTGRES if item.get_closest_marker("postgres") else DEFAULT
    _switch.apply()


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """After SQLite's (the overridden fixture), PostgreSQL's own ``headway_test_*`` if any test wants it."""
    from django.test.utils import setup_databases, teardown_databases

    if not any(item.get_closest_marker("postgres") for item in request.session.items):
        yield
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={POSTGRES: False})
    _switch.ready = True
    _switch.apply()
    yield
    _switch.wanted = DEFAULT
    _switch.apply()
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)
