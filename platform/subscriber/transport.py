"""How are pointers, bundles and directories fetched, and statuses sent?"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import msgspec

from coordination.bundle.directory import MAX_DIRECTORY
from coordination.bundle.refusals import Refused, RefusedError, refuse
from coordination.wire.status import Status, encode
from subscriber.answers import Answered
from subscriber.identity import Identity

WAIT = 30
"""Seconds a pointer request waits at the server; also how often the pointer is looked at anyway."""
SLACK = 10.0
"""Seconds beyond ``WAIT`` before an answer is given up."""
MAX_BUNDLE = 256 * 1024 * 1024
MAX_STATEMENT = 1024 * 1024
"""Bytes of a pointer, a root or an answer to a status: each is a few kilobytes."""
SHOWN = 300
"""Characters of a console's reason that are kept."""


def require_safe(server: str) -> str:
    """``server`` without a trailing slash; ``ValueError`` unless https, or http on this machine."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{server!r} is not an http(s) URL")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"{server!r} is plain http to another machine: use https")
    return server.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class FetchedPointer:
    envelope: bytes
    etag: str


class Transport:
    """One gateway's connection to one console. Every failure is a ``RefusedError`` (``fetch_failed``)."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._client = httpx.AsyncClient(
            base_url=require_safe(identity.server),
            headers={"authorization": f"Bearer {identity.credential}"},
            timeout=httpx.Timeout(10.0, read=30.0),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=8),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def pointer(self, etag: str | None, *, wait: int = WAIT) -> FetchedPointer | None:
        """The ring's pointer, or ``None`` if it is still the one of ``etag`` after ``wait`` seconds."""
        headers = {"prefer": f"wait={wait}"} if wait else {}
        if etag:
            headers["if-none-match"] = f'"{etag}"'
        path = f"/api/v1/pointers/{self._identity.environment}/{self._identity.ring}"
        got = await self._get(path, most=MAX_STATEMENT, headers=headers, wait=wait)
        if got.status == 304:
            return None
        _require(got, path)
        return FetchedPointer(got.body, got.etag)

    async def bundle(self, digest: str) -> bytes:
        return await self._immutable(f"/api/v1/bundles/{digest}", MAX_BUNDLE)

    async def bundle_envelope(self, digest: str) -> bytes:
        return await self._immutable(f"/api/v1/bundles/{digest}/envelope", MAX_BUNDLE)

    async def directory(self, digest: str) -> bytes:
        return await self._immutable(f"/api/v1/directories/{digest}", MAX_DIRECTORY)

    async def root(self, version: int) -> bytes | None:
        """The root of that version, or ``None`` if there is none yet."""
        path = f"/api/v1/roots/{version}"
        got = await self._get(path, most=MAX_STATEMENT)
        if got.status == 404:
            return None
        _require(got, path)
        return got.body

    async def report(self, status: Status) -> None:
        await self.post("status", encode(status))

    async def post(self, what: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Tell the console ``what`` (status, usage, say). Returning is its acknowledgement."""
        path = f"/api/v1/gateways/{self._identity.gateway}/{what}"
        sent = {"content-type": "application/json", **(headers or {})}
        got = await self._ask("POST", path, MAX_STATEMENT, content=body, headers=sent)
        _require(got, path)

    async def _immutable(self, path: str, most: int) -> bytes:
        got = await self._get(path, most=most)
        _require(got, path)
        return got.body

    async def _get(
        self, path: str, *, most: int, headers: dict[str, str] | None = None, wait: int = 0
    ) -> _Got:
        return await self._ask("GET", path, most, headers=headers, wait=wait)

    async def _ask(
        self,
        method: str,
        path: str,
        most: int,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        wait: int = 0,
    ) -> _Got:
        """One answer of at most ``most`` bytes, however many the other side would send."""
        patience = httpx.Timeout(10.0, read=wait + SLACK) if wait else httpx.USE_CLIENT_DEFAULT
        try:
            async with self._client.stream(
                method, path, content=content, headers=headers, timeout=patience
            ) as response:
                received = bytearray()
                async for part in response.aiter_bytes():
                    received += part
                    if len(received) > most:
                        raise refuse("too_large", f"more than {most} bytes", file=path)
                return _Got(
                    response.status_code,
                    response.headers.get("content-type", ""),
                    response.headers.get("etag", "").strip('"'),
                    bytes(received),
                )
        except httpx.HTTPError as error:
            raise RefusedError(
                Refused("fetch_failed", f"{type(error).__name__}: {error}", file=path)
            ) from error


@dataclass(frozen=True, slots=True)
class _Got:
    status: int
    content_type: str
    etag: str
    body: bytes


class _Problem(msgspec.Struct, frozen=True):
    """What we read of a problem document."""

    code: str = ""
    detail: str = ""


def _require(got: _Got, path: str) -> None:
    """Raises ``RefusedError`` (``fetch_failed``) unless it succeeded. What it says is shown, not trusted."""
    if 200 <= got.status < 300:
        return
    detail = ""
    if got.content_type.startswith("application/problem+json"):
        try:
            problem = msgspec.json.decode(got.body, type=_Problem)
            detail = f" {problem.code}: {problem.detail}"[:SHOWN]
        except (msgspec.DecodeError, UnicodeDecodeError):
            detail = " and a problem document that cannot be read"
    said = Refused("fetch_failed", f"the console answered {got.status}{detail}", file=path)
    raise Answered(got.status, said)
