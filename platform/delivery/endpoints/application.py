"""Which delivery endpoint answers a request, and may this caller ask?

GET  /api/v1/pointers/{environment}/{ring}             Prefer: wait=N; If-None-Match
GET  /api/v1/bundles/{digest}[/envelope|/files/{sha}]  immutable
GET  /api/v1/directories/{digest}                      immutable
GET  /api/v1/roots/{version}                           the chain of trust
POST /api/v1/gateways/enroll                           with a token
POST /api/v1/gateways/{id}/status
POST /api/v1/gateways/{id}/usage, /decisions           (endpoints.intakes)
"""

from __future__ import annotations

import re
from asyncio import to_thread
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import orjson

from coordination.wire.status import Status
from coordination.wire.status import decode as decode_status
from delivery.board import Board, Caller
from delivery.endpoints.intakes import Intake, Intakes
from foundation.http.raw import (
    Receive,
    Scope,
    Send,
    TooLarge,
    answer,
    body_of,
    credential_digest,
    header,
    problem,
)

POINTER = re.compile(r"/api/v1/pointers/([a-z0-9.-]{1,63})/([a-z0-9.-]{1,63})\Z")
BUNDLE = re.compile(r"/api/v1/bundles/(sha256:[0-9a-f]{64})(/envelope|/files/sha256:[0-9a-f]{64})?\Z")
DIRECTORY = re.compile(r"/api/v1/directories/(sha256:[0-9a-f]{64})\Z")
ROOT = re.compile(r"/api/v1/roots/([1-9][0-9]{0,8})\Z")
STATUS = re.compile(r"/api/v1/gateways/(gw_[0-9a-z]{26})/status\Z")
INTAKE = re.compile(r"/api/v1/gateways/(gw_[0-9a-z]{26})/([a-z]{1,20})\Z")
ENROLL = "/api/v1/gateways/enroll"
PREFIXES = (
    "/api/v1/pointers/",
    "/api/v1/bundles/",
    "/api/v1/directories/",
    "/api/v1/roots/",
    "/api/v1/gateways/",
)

WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")
LONGEST_WAIT = 60
"""Seconds one request may wait; a gateway asks again."""
IMMUTABLE = (b"cache-control", b"private, max-age=31536000, immutable")


class Archive(Protocol):
    """Where immutable bytes come from; each call runs in a thread and may read the database."""

    def bundle(self, environment: str, digest: str) -> bytes | None: ...
    def envelope(self, environment: str, digest: str) -> bytes | None: ...
    def file(self, environment: str, digest: str, sha: str) -> bytes | None: ...
    def directory(self, environment: str, digest: str) -> bytes | None: ...
    def root(self, version: int) -> bytes | None: ...


Enroll = Callable[[object], tuple[int, dict[str, object]]]
"""A parsed enrolment request -> status and answer. Runs in a thread."""
Report = Callable[[str, Status], None]
"""A gateway's id and its status -> queued for the writer thread. Never blocks."""


class DeliveryApplication:
    """A plain ASGI application over the board, the archive and what takes gateways' reports."""

    def __init__(
        self,
        board: Board,
        archive: Archive,
        enroll: Enroll,
        report: Report,
        intakes: Mapping[str, Intake] | None = None,
    ) -> None:
        """``intakes``: last part of an address -> what takes the batches posted there."""
        self.board = board
        self._archive = archive
        self._enroll = enroll
        self._report = report
        self._intakes = Intakes(intakes or {})

    @staticmethod
    def answers(path: str) -> bool:
        """Whether ``path`` is one of ours."""
        return path.startswith(PREFIXES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path == ENROLL:
            await self._enrolment(method, receive, send)
            return
        caller = self._caller(scope)
        if caller is None:
            await problem(
                send,
                401,
                "gateway_unauthenticated",
                "No gateway has this credential: enrol it with `headway gateway enroll` (or it was retired).",
                headers=[(b"www-authenticate", b"Bearer")],
            )
        elif match := POINTER.match(path):
            if await self._allows(method, "GET", send):
                await self._pointer(scope, send, caller, (match[1], match[2]))
        elif match := STATUS.match(path):
            if await self._allows(method, "POST", send):
                await self._status(receive, send, caller, match[1])
        elif (match := INTAKE.match(path)) and match[2] in self._intakes:
            if await self._allows(method, "POST", send):
                await self._batch(receive, send, caller, match)
        elif await self._allows(method, "GET", send):
            await self._immutable(send, caller, path)

    def _caller(self, scope: Scope) -> Caller | None:
        return self.board.posting.callers.get(credential_digest(scope))

    async def _allows(self, method: str, wanted: str, send: Send) -> bool:
        if method == wanted:
            return True
        await problem(
            send, 405, "method_not_allowed", f"Use {wanted}.", headers=[(b"allow", wanted.encode())]
        )
        return False

    async def _pointer(self, scope: Scope, send: Send, caller: Caller, ring: tuple[str, str]) -> None:
        if ring != (caller.environment, caller.ring):
            await problem(
                send, 403, "wrong_ring", f"This gateway is of ring {caller.environment}/{caller.ring}."
            )
            return
        seen = header(scope, b"if-none-match").strip('"')
        posted = self.board.posting.pointers.get(ring)
        wait = WAIT.search(header(scope, b"prefer"))
        if wait and (posted is None or posted.etag == seen):
            await self.board.wait(ring, min(int(wait[1]), LONGEST_WAIT))
            posted = self.board.posting.pointers.get(ring)
        if posted is None:
            await problem(send, 404, "no_release", "Nothing was released to this ring yet.", retryable=True)
        elif posted.etag == seen:
            await answer(send, 304, headers=[(b"etag", f'"{posted.etag}"'.encode())])
        else:
            await answer(
                send,
                200,
                posted.envelope,
                [
                    (b"content-type", b"application/json"),
                    (b"etag", f'"{posted.etag}"'.encode()),
                    (b"cache-control", b"no-cache"),
                ],
            )

    async def _immutable(self, send: Send, caller: Caller, path: str) -> None:
        kind = b"application/json"
        data: bytes | None = None
        if match := BUNDLE.match(path):
            digest, part = match[1], match[2]
            if part is None:
                kind, data = (
                    b"application/x-tar",
                    await to_thread(self._archive.bundle, caller.environment, digest),
                )
            elif part == "/envelope":
                data = await to_thread(self._archive.envelope, caller.environment, digest)
            else:
                sha = part.removeprefix("/files/")
                data = await to_thread(self._archive.file, caller.environment, digest, sha)
        elif match := DIRECTORY.match(path):
            data = await to_thread(self._archive.directory, caller.environment, match[1])
        elif match := ROOT.match(path):
            data = await to_thread(self._archive.root, int(match[1]))
        if data is None:
            await problem(send, 404, "not_found", "Nothing of that name in this gateway's environment.")
        else:
            await answer(send, 200, data, [(b"content-type", kind), IMMUTABLE])

    async def _status(self, receive: Receive, send: Send, caller: Caller, gateway: str) -> None:
        if gateway != caller.gateway:
            await problem(send, 403, "wrong_gateway", "A gateway reports for itself alone.")
            return
        try:
            status = decode_status(await body_of(receive))
        except TooLarge:
            await problem(send, 413, "request_too_large", "A status is a few hundred bytes.")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            await problem(send, 400, "malformed_status", str(error))
        else:
            self._report(gateway, status)
            await answer(send, 202)

    async def _batch(self, receive: Receive, send: Send, caller: Caller, asked: re.Match[str]) -> None:
        if asked[1] != caller.gateway:
            await problem(send, 403, "wrong_gateway", "A gateway reports for itself alone.")
        else:
            await self._intakes.take(asked[2], caller, receive, send)

    async def _enrolment(self, method: str, receive: Receive, send: Send) -> None:
        if not await self._allows(method, "POST", send):
            return
        try:
            asked = orjson.loads(await body_of(receive))
        except TooLarge:
            await problem(send, 413, "request_too_large", "An enrolment is a few hundred bytes.")
        except orjson.JSONDecodeError as error:
            await problem(send, 400, "malformed_request", str(error))
        else:
            status, said = await to_thread(self._enroll, asked)
            if status == 201:
                await self.board.look()  # so that the credential works once it is known
            kind = b"application/json" if status < 400 else b"application/problem+json"
            await answer(send, status, orjson.dumps(said), [(b"content-type", kind)])
