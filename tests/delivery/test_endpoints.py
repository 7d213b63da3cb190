"""The delivery endpoints as a gateway meets them: raw ASGI, no Django, no database."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import orjson
import pytest

from coordination.wire.status import Status, encode
from delivery.board import Board, Caller, Posted, Posting
from delivery.endpoints import DeliveryApplication

DIGEST = "sha256:" + "a" * 64
CREDENTIAL = "hwg_secret"
RING = ("dev", "0")
ME = "gw_" + "a" * 26


class Archive:
    """One bundle, one directory, one root; only for environment dev."""

    def bundle(self, environment, digest):
        return b"tar" if (environment, digest) == ("dev", DIGEST) else None

    def envelope(self, environment, digest):
        return b"envelope" if (environment, digest) == ("dev", DIGEST) else None

    def file(self, environment, digest, sha):
        return b"file" if sha == DIGEST else None

    def directory(self, environment, digest):
        return b"{}" if (environment, digest) == ("dev", DIGEST) else None

    def root(self, version):
        return b"root" if version == 1 else None


class World:
    """A board whose posting a test changes, and an application over it."""

    def __init__(self) -> None:
        self.posting = Posting(
            pointers={RING: Posted(b"pointer 1", "etag-1")},
            callers={sha256(CREDENTIAL.encode()).hexdigest(): Caller(ME, *RING)},
        )
        self.reports: list[tuple[str, Status]] = []
        self.board = Board(self._read)
        self.app = DeliveryApplication(
            self.board, Archive(), lambda asked: (201, {"asked": asked}), lambda *r: self.reports.append(r)
        )

    async def _read(self) -> Posting:
        return self.posting

    def post(self, pointer: bytes, etag: str) -> None:
        self.posting = Posting(pointers={RING: Posted(pointer, etag)}, callers=self.posting.callers)
        self.board.wake()

    async def ask(self, method, path, *, body=b"", credential=CREDENTIAL, **headers):
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
        if credential:
            scope["headers"].append((b"authorization", f"Bearer {credential}".encode()))
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.fixture
async def world():
    made = World()
    await made.board.start()
    yield made
    await made.board.stop()


POINTER = "/api/v1/pointers/dev/0"


async def test_a_pointer_comes_with_its_etag_and_is_not_sent_twice(world):
    status, headers, body = await world.ask("GET", POINTER)
    assert (status, body, headers[b"etag"]) == (200, b"pointer 1", b'"etag-1"')
    status, _, body = await world.ask("GET", POINTER, if_none_match='"etag-1"')
    assert (status, body) == (304, b"")


async def test_a_long_poll_returns_the_moment_the_pointer_moves(world):
    waiting = asyncio.create_task(world.ask("GET", POINTER, if_none_match='"etag-1"', prefer="wait=50"))
    await asyncio.sleep(0.02)
    assert world.board.waiting == 1
    world.post(b"pointer 2", "etag-2")
    status, _, body = await asyncio.wait_for(waiting, 10)
    assert (status, body) == (200, b"pointer 2")


async def test_three_hundred_long_polls_hold_no_thread_and_are_let_go_at_the_stop(world):
    import threading

    before = threading.active_count()
    polls = [
        asyncio.create_task(world.ask("GET", POINTER, if_none_match='"etag-1"', prefer="wait=50"))
        for _ in range(300)
    ]
    await asyncio.sleep(0.05)
    assert world.board.waiting == 300
    assert threading.active_count() == before
    world.board.release()
    answers = await asyncio.wait_for(asyncio.gather(*polls), 10)
    assert {status for status, _, _ in answers} == {304}


async def test_a_poll_whose_client_leaves_waits_no_longer(world):
    poll = asyncio.create_task(world.ask("GET", POINTER, if_none_match='"etag-1"', prefer="wait=50"))
    await asyncio.sleep(0.02)
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    assert world.board.waiting == 0


@pytest.mark.parametrize("credential", [None, "", "hwg_wrong", CREDENTIAL.upper()])
async def test_nobody_gets_anything_without_a_gateways_credential(world, credential):
    for path in (POINTER, f"/api/v1/bundles/{DIGEST}", f"/api/v1/directories/{DIGEST}", "/api/v1/roots/1"):
        status, headers, body = await world.ask("GET", path, credential=credential)
        assert status == 401
        assert headers[b"content-type"] == b"application/problem+json"
        assert orjson.loads(body)["code"] == "gateway_unauthenticated"


async def test_another_rings_pointer_is_refused(world):
    status, _, body = await world.ask("GET", "/api/v1/pointers/dev/1")
    assert (status, orjson.loads(body)["code"]) == (403, "wrong_ring")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (f"/api/v1/bundles/{DIGEST}", b"tar"),
        (f"/api/v1/bundles/{DIGEST}/envelope", b"envelope"),
        (f"/api/v1/bundles/{DIGEST}/files/{DIGEST}", b"file"),
        (f"/api/v1/directories/{DIGEST}", b"{}"),
        ("/api/v1/roots/1", b"root"),
    ],
)
async def test_immutable_things_may_be_kept_for_ever(world, path, wanted):
    status, headers, body = await world.ask("GET", path)
    assert (status, body) == (200, wanted)
    assert b"immutable" in headers[b"cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/bundles/{DIGEST[:-1]}b",
        "/api/v1/bundles/../secret",
        "/api/v1/directories/sha256:xyz",
        "/api/v1/roots/2",
        "/api/v1/roots/0",
        "/api/v1/gateways/gw_nobody/secrets",
    ],
)
async def test_what_is_not_there_is_404(world, path):
    status, _, body = await world.ask("GET", path)
    assert (status, orjson.loads(body)["code"]) == (404, "not_found")


def status_of(**fields):
    plain = {
        "boot_id": "b",
        "seq": 1,
        "sent_at": 1,
        "serial": 1,
        "version": 1,
        "desired": DIGEST,
        "attempted": DIGEST,
    }
    return Status(
        **{
            **plain,
            "attempted": DIGEST,
            "applied": DIGEST,
            "applied_directory": DIGEST,
            "state": "active",
            **fields,
        }
    )


async def test_a_status_is_queued_for_the_gateway_that_sent_it(world):
    sent = status_of()
    status, _, _ = await world.ask("POST", f"/api/v1/gateways/{ME}/status", body=encode(sent))
    assert status == 202
    assert world.reports == [(ME, sent)]


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        (f"/api/v1/gateways/gw_{'b' * 26}/status", encode(status_of()), (403, "wrong_gateway")),
        (f"/api/v1/gateways/{ME}/status", b"{", (400, "malformed_status")),
        (f"/api/v1/gateways/{ME}/status", b"\xff\xfe", (400, "malformed_status")),
        (f"/api/v1/gateways/{ME}/status", b'{"state": "serving"}', (400, "malformed_status")),
        (f"/api/v1/gateways/{ME}/status", b"x" * (5 << 20), (413, "request_too_large")),
        ("/api/v1/gateways/enroll", b"[", (400, "malformed_request")),
    ],
)
async def test_malformed_reports_are_refused_with_a_code(world, path, body, wanted):
    status, _, answer = await world.ask("POST", path, body=body)
    assert (status, orjson.loads(answer)["code"]) == wanted
    assert world.reports == []


async def test_the_wrong_method_names_the_right_one(world):
    status, headers, _ = await world.ask("POST", POINTER)
    assert (status, headers[b"allow"]) == (405, b"GET")


async def test_a_database_that_fails_leaves_the_last_posting_in_force(world):
    async def broken():
        raise ConnectionError("database restarts")

    world.board._read = broken
    world.board.wake()
    await asyncio.sleep(0.05)
    status, _, body = await world.ask("GET", POINTER)
    assert (status, body) == (200, b"pointer 1")
