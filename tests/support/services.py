"""Which real services are there to test against?

PostgreSQL and Redis from ``TEST_DATABASE_URL`` and ``TEST_REDIS_URL``, or on their standard local ports;
Chromium from PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
from urllib.parse import urlsplit

import pytest

REQUIRED = os.environ.get("REQUIRE_REAL_SERVICES") == "1"
REDIS_PREFIX = "headway_test:"

LOCAL_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
LOCAL_REDIS = "redis://127.0.0.1:6379/0"


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    if parts.hostname is None:
        return True  # a Unix socket: given by hand, and the driver will say what is wrong
    try:
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=1.0):
            return True
    except OSError:
        return False


def find(variable: str, local: str) -> str | None:
    """The URL given in ``variable``, else the local standard one if something listens there."""
    return os.environ.get(variable) or (local if _answers(local) else None)


POSTGRES = find("TEST_DATABASE_URL", LOCAL_POSTGRES)
REDIS = find("TEST_REDIS_URL", LOCAL_REDIS)
if POSTGRES:
    os.environ["HEADWAY_TEST_POSTGRES"] = POSTGRES  # headway.settings.test makes it a database

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WANTED = {
    "e2e": (CHROMIUM, "no Chromium is on PATH"),
    "postgres": (POSTGRES, "nothing listens on 127.0.0.1:5432; give TEST_DATABASE_URL"),
    "redis": (REDIS, "nothing listens on 127.0.0.1:6379; give TEST_REDIS_URL"),
}


def missing(item: pytest.Item) -> dict[str, str]:
    """The services ``item`` is marked to need and that are not there, with the reason."""
    return {
        name: reason
        for name, (url, reason) in WANTED.items()
        if url is None and item.get_closest_marker(name)
    }
