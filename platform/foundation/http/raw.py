"""How is a request read, and answered, over raw ASGI? For what is answered before Django."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from hashlib import sha256
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

MAX_BODY = 4 * 1024 * 1024


class TooLarge(Exception):
    """The body is longer than its reader takes."""


async def answer(send: Send, status: int, body: bytes = b"", headers: Headers = ()) -> None:
    length = [] if status == 304 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})


async def problem(
    send: Send, status: int, code: str, detail: str, *, retryable: bool = False, headers: Headers = ()
) -> None:
    """The house's one error shape (RFC 9457)."""
    body = orjson.dumps(
        {
            "type": f"/docs/problems/{code}",
            "title": code.replace("_", " "),
            "status": status,
            "code": code,
            "detail": detail,
            "retryable": retryable,
        }
    )
    await answer(send, status, body, [(b"content-type", b"application/problem+json"), *headers])


async def body_of(receive: Receive, most: int = MAX_BODY) -> bytes:
    """The whole body; raises ``TooLarge``, beyond ``most`` bytes, without reading the rest."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise TooLarge
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def credential_digest(scope: Scope) -> str:
    """SHA-256 (hex) of the bearer credential, or empty. A look-up by digest says nothing by its time."""
    scheme, _, credential = header(scope, b"authorization").partition(" ")
    return sha256(credential.encode()).hexdigest() if scheme.lower() == "bearer" else ""
