"""Does that address answer?"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

PATIENCE = 1.0


def serves(url: str) -> bool:
    """Whether a GET of ``url`` is answered with anything below 500, within a second."""
    return answer(url) is not None


def answer(url: str) -> bytes | None:
    """The body of what answers a GET of ``url`` within a second with anything below 500."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        body = response.read()
        return body if response.status < 500 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def follows(readyz: str, serial: int) -> bool:
    """Whether the gateway behind ``readyz`` runs what its pointer of ``serial``, or a later one, says.

    A restarted gateway serves from its disk before it has asked its console for anything newer.
    """
    body = answer(readyz)
    pointer = json.loads(body).get("pointer") if body else None
    return pointer is not None and pointer["serial"] >= serial


def all_serve(urls: Iterable[str]) -> Callable[[], bool]:
    """A question for later: do all of ``urls`` answer?"""
    asked = tuple(urls)
    return lambda: all(serves(url) for url in asked)
