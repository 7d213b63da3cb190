"""A SQLite database in a file, as an installation has it: the one in memory cannot be shared by threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest


@pytest.fixture
def sqlite_file(transactional_db, tmp_path) -> Iterator[None]:
    """``default`` stands for a file of its own, with the schema of the test's database."""
    from django.db import connections

    from headway.settings.base import database

    own_entry, own = connections.settings["default"], connections["default"]
    path = tmp_path / "headway.sqlite3"
    own.ensure_connection()
    target = sqlite3.connect(path)
    own.connection.backup(target)
    target.close()
    connections.settings["default"] = {**own_entry, **database(f"sqlite:///{path}")}
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"], connections["default"] = own_entry, own
