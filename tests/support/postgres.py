"""A PostgreSQL database for processes of their own: made for a test, dropped after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg

from headway.place import CHECKOUT
from tests.support import services


@contextmanager
def fresh_database() -> Iterator[str]:
    """Its URL. Needs the mark ``postgres``."""
    assert services.POSTGRES is not None
    name = f"headway_test_{CHECKOUT}_{os.getpid()}"
    with psycopg.connect(services.POSTGRES, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(services.POSTGRES)._replace(path=f"/{name}"))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
