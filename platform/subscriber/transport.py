"""How are pointers, bundles and directories fetched, and statuses sent?"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import NoReturn
from urllib.parse import urlsplit

import httpx

from coordination.bundle.refusals import Refused, RefusedError, refuse
from coordination.wire.status import Status, encode
from subscriber.identity import Identity

WAIT = 30
"""Seconds a pointer request waits at the server; also how often the pointer is looked at anyway."""
SLACK = 10.0
"""Seconds beyond ``WAIT`` before an answer is given up."""
MAX_BUNDLE = 256 * 1024 * 1024


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
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=4),
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
        try:
            response = await self._client.get(
                path, headers=headers, timeout=httpx.Timeout(10.0, read=wait + SLACK)
            )
        except httpx.HTTPError as error:
            _failed(path, error)
        if response.status_code == 304:
            return None
        _require(response, path)
        return FetchedPointer(response.content, response.headers.get("etag", "").strip('"'))

    async def bundle(self, digest: str) -> bytes:
        return await self._immutable(f"/api/v1/bundles/{digest}")

    async def bundle_envelope(self, digest: str) -> bytes:
        return await self._immutable(f"/api/v1/bundles/{digest}/envelope")

    async def directory(self, digest: str) -> bytes:
        return await self._immutable(f"/api/v1/directories/{digest}")

    async def root(self, version: int) -> bytes | None:
        """The root of that version, or ``None`` if there is none yet."""
        path = f"/api/v1/roots/{version}"
        try:
            response = await self._client.get(path)
        except httpx.HTTPError as error:
            _failed(path, error)
        if response.status_code == 404:
            return None
        _require(response, path)
        return response.content

    async def report(self, status: Status) -> None:
        path = f"/api/v1/gateways/{self._identity.gateway}/status"
        try:
            response = await self._client.post(
                path, content=encode(status), headers={"content-type": "application/json"}
            )
        except httpx.HTTPError as error:
            _failed(path, error)
        _require(response, path)

    async def _immutable(self, path: str) -> bytes:
        try:
            async with self._client.stream("GET", path) as response:
                if response.status_code != 200:
                    await response.aread()
                    _require(response, path)
                received = bytearray()
                async for part in response.aiter_bytes():
                    received += part
                    if len(received) > MAX_BUNDLE:
                        raise refuse("too_large", f"more than {MAX_BUNDLE} bytes", file=path)
        except httpx.HTTPError as error:
            _failed(path, error)
        return bytes(received)


def _require(response: httpx.Response, path: str) -> None:
    if response.is_success:
        return
    detail = response.reason_phrase
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        problem = response.json()
        detail = f"{problem.get('code')}: {problem.get('detail')}"
    raise refuse("fetch_failed", f"{response.status_code} {detail}", file=path)


def _failed(path: str, error: httpx.HTTPError) -> NoReturn:
    raise RefusedError(Refused("fetch_failed", f"{type(error).__name__}: {error}", file=path)) from error
