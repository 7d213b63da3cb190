"""What takes long to set up is set up once: its rows are put back for the next test as they were left.

Setting up goes through the services, as an operator would; what they wrote is remembered for a while and
written again by the next test that begins from the same database. Where that is not so (somebody else
wrote to the same tables, another database, too long ago), it is set up anew: a test sees no difference.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection, transaction

T = TypeVar("T")
Rows = dict[str, list[tuple[Any, ...]]]
FRESH = 40.0
"""Seconds it stays as good as new. Gateways count as silent after 90, pointers run out after more."""


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    before: Rows
    """Of every table that was written to, what it held before."""
    added: Rows
    replaced: Rows
    """Of the tables in which rows were changed or taken away, all that they hold."""
    value: Any
    files: dict[str, tuple[bytes, int]]
    """Path in the folder -> content and mode."""


_kept: dict[str, _Kept] = {}


def remembered(name: str, make: Callable[[], T], *, folder: Path | None = None) -> T:
    """``make()``, or what it did and returned lately under ``name``.

    ``folder`` is where it writes files. A copy of what is returned is given to each test.
    """
    if connection.vendor != "sqlite":
        return make()
    kept = _kept.get(name)
    if kept is not None and time.monotonic() - kept.at < FRESH and _rows(list(kept.before)) == kept.before:
        with transaction.atomic():
            _write(kept.added, kept.replaced)
        for path, (content, mode) in kept.files.items():
            assert folder is not None
            (folder / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / path).write_bytes(content)
            (folder / path).chmod(mode)
        again: T = copy.deepcopy(kept.value)
        return again
    tables = _tables()
    before = _rows(tables)
    value = make()
    after = _rows(tables)
    _keep(name, before, after, value, folder)
    return value


def _keep(name: str, before: Rows, after: Rows, value: Any, folder: Path | None) -> None:
    added: Rows = {}
    replaced: Rows = {}
    for table, rows in after.items():
        if rows == before[table]:
            continue
        old = set(before[table])
        new = [row for row in rows if row not in old]
        grown = len(new) + len(old) == len(rows)
        (added if grown else replaced)[table] = new if grown else rows
    files = {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in (folder.rglob("*") if folder is not None else ())
        if path.is_file() and folder is not None
    }
    touched = {table: before[table] for table in (*added, *replaced)}
    _kept[name] = _Kept(time.monotonic(), touched, added, replaced, copy.deepcopy(value), files)


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def _columns(table: str) -> list[str]:
    if table not in _known_columns:
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}" LIMIT 0')  # noqa: S608
            _known_columns[table] = [column[0] for column in cursor.description]
    return _known_columns[table]


_known_columns: dict[str, list[str]] = {}


def _rows(tables: list[str]) -> Rows:
    """Raw: a plus in front keeps the driver from making anything of a value."""
    found: Rows = {}
    with connection.cursor() as cursor:
        for table in tables:
            columns = ", ".join(f'+"{column}"' for column in _columns(table))
            found[table] = cursor.execute(f'SELECT {columns} FROM "{table}" ORDER BY rowid').fetchall()  # noqa: S608
    return found


def _write(added: Rows, replaced: Rows) -> None:
    with connection.cursor() as cursor:
        for table in replaced:
            cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608
        for table, rows in (*replaced.items(), *added.items()):
            columns = _columns(table)
            signs, names = ", ".join(["%s"] * len(columns)), ", ".join(f'"{column}"' for column in columns)
            # By name: a test of migrations may have made the table anew, its columns in another order.
            cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({signs})', rows)  # noqa: S608
