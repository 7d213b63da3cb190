"""Does that address answer?"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

PATIENCE = 1.0


def serves(url: str) -> bool:
    """Whether a GET of ``url`` is answered with anything below 500, within a second."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def all_serve(urls: Iterable[str]) -> Callable[[], bool]:
    """A question for later: do all of ``urls`` answer?"""
    asked = tuple(urls)
    return lambda: all(serves(url) for url in asked)
