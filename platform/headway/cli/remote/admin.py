"""What does a gateway's admin port say? Plain HTTP to this machine, with what Python has."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from headway.cli.artefacts import CouldNotRun

PATIENCE = 10.0
"""Seconds."""


class Refusal(Exception):
    """The gateway heard, and says no: its code and sentence."""


def ask(admin: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    """GET, or POST of ``body``. Raises ``Refusal``, or ``CouldNotRun`` when nobody answers."""
    if urlsplit(admin).scheme not in ("http", "https"):
        raise CouldNotRun(f"--admin {admin}: not an http URL")
    request = Request(admin.rstrip("/") + path, data=body, method="GET" if body is None else "POST")  # noqa: S310 - the scheme was looked at
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except HTTPError as error:
        raise Refusal(_said(error)) from None
    except (URLError, TimeoutError, ValueError) as error:
        raise CouldNotRun(f"{admin} does not answer: {getattr(error, 'reason', error)}") from None


def _said(error: HTTPError) -> str:
    try:
        found = json.load(error)["error"]
        return f"{found['code']}: {found['message']}"
    except (ValueError, KeyError, TypeError):
        return f"the gateway answers {error.code}"
