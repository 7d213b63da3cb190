"""A console that says whatever a test has it say, and a gateway's subscription to it, in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from coordination.bundle import dsse
from coordination.bundle import root as roots
from coordination.bundle.candidates import Candidate
from coordination.bundle.pack import PackedBundle
from coordination.bundle.pointer import Pointer, sign_pointer
from coordination.bundle.root import sign_root
from coordination.program.canonical import sha256_digest
from coordination.wire.status import Status, decode
from subscriber.identity import Identity
from subscriber.loop import Delivery
from tests.coordination.bundle import samples

GUARD = 30.0
RING = "main"
GATEWAY = "gw_" + "a" * 26
POINTER = f"/api/v1/pointers/dev/{RING}"
LONGEST_POLL = 5.0
"""Seconds: shorter than a real console's, so that a test ends soon."""
ROOT = sign_root(samples.root(), [samples.KEY])
MINUTE = 60 * samples.SECOND


def wall() -> int:
    return time.time_ns() // 1000


Answer = tuple[int, dict[str, str], bytes]


class FakeConsole:
    """Answers by path; the pointer as a long poll. What it is given need not be true, nor signed."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Callable[[Any], None]] = {}
        """Path -> what to do with the request instead; it gets the handler."""
        self.statuses: list[Status] = []
        self.asked: Counter[str] = Counter()
        self.pointer = b""
        self.waits = True
        self._changed = threading.Condition()
        self._stopped = False
        console = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                console._get(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                console.statuses.append(decode(body))
                console.send(self, 202)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's signature
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """The subscriber hung up, as it may."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._stopped = True
        with self._changed:
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # -- what it says ------------------------------------------------------------------------------

    def hold(self, made: PackedBundle, keys: Any) -> None:
        """Have a bundle, its envelope and a directory to give."""
        self.files[f"/api/v1/bundles/{made.digest}"] = made.tar
        envelope = dsse.sign(made.manifest, dsse.BUNDLE, [samples.KEY])
        self.files[f"/api/v1/bundles/{made.digest}/envelope"] = envelope
        self.files[f"/api/v1/directories/{keys.digest}"] = keys.to_json()

    def post(self, envelope: bytes) -> None:
        """Point the ring at something else."""
        with self._changed:
            self.pointer = envelope
            self._changed.notify_all()

    def release(self, serial: int, *, output: int = 60_000, revoked: bool = False, **of: Any) -> Pointer:
        """Everything in order: a bundle, a directory of that serial, a pointer to both."""
        made, keys = samples.bundle(output=output), samples.directory(serial=serial, revoked=revoked)
        self.hold(made, keys)
        pointer = samples.pointer(
            made, keys, **{"serial": serial, "issued_at": wall(), "lifetime": 10 * MINUTE, **of}
        )
        self.post(sign_pointer(pointer, [samples.KEY]))
        return pointer

    # -- how it says it ----------------------------------------------------------------------------

    @staticmethod
    def send(handler: Any, status: int, body: bytes = b"", **headers: str) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if status != 304:
            handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _get(self, handler: Any) -> None:
        path = handler.path
        self.asked[path] += 1
        if path in self.answers:
            self.answers[path](handler)
        elif path == POINTER:
            self._poll(handler)
        elif path in self.files:
            self.send(handler, 200, self.files[path])
        else:
            self.send(handler, 404, b'{"code": "not_found"}', content_type="application/problem+json")

    def _poll(self, handler: Any) -> None:
        seen = handler.headers.get("if-none-match", "").strip('"')
        with self._changed:
            if self.waits:
                self._changed.wait_for(
                    lambda: self._stopped or (self.pointer and sha256_digest(self.pointer) != seen),
                    LONGEST_POLL,
                )
            pointer = self.pointer
        if not pointer or sha256_digest(pointer) == seen:
            self.send(handler, 304)
        else:
            self.send(handler, 200, pointer, etag=f'"{sha256_digest(pointer)}"')


class Runtime:
    """What a gateway is to its subscription: remembers what it was given to serve."""

    def __init__(self) -> None:
        self.served: list[Candidate] = []
        self.failures: list[str] = []
        self.last_heard: Pointer | None = None

    def prepare(self, records: Any, vectors: Any) -> list[str]:
        return self.failures

    def heard(self, pointer: Pointer | None) -> None:
        self.last_heard = pointer

    def activate(self, candidate: Candidate) -> None:
        self.served.append(candidate)


class Subscribed:
    """A subscription, its runtime and its console."""

    def __init__(self, console: FakeConsole, folder: Path) -> None:
        self.console, self.folder = console, folder
        self.runtime = Runtime()
        folder.mkdir(exist_ok=True)
        (folder / roots.FILE).write_bytes(ROOT)
        identity = Identity(
            server=console.url,
            gateway=GATEWAY,
            name="gw",
            environment="dev",
            ring=RING,
            credential="hwg_x",
            root=sha256_digest(ROOT),
            key="",
        )
        self.delivery = Delivery(identity, folder, self.runtime)

    @property
    def error(self) -> str:
        """Code of the last refusal; empty if there is none."""
        refused = self.delivery.state.error
        return refused.code if refused else ""

    @property
    def serving(self) -> str:
        return self.runtime.served[-1].bundle.digest if self.runtime.served else ""

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(GUARD):
            while not true():  # noqa: ASYNC110 - the condition is someone else's plain state
                await asyncio.sleep(0.005)

    async def until_serving(self, pointer: Pointer) -> None:
        """What ``pointer`` names is served, whole, and said to be."""

        def there() -> bool:
            applied = self.delivery.state.applied
            return applied is not None and applied.pointer == pointer and self.serving == pointer.bundle

        await self.until(there)

    async def until_refused(self, code: str) -> None:
        await self.until(lambda: self.error == code)

    async def until_told(self, **fields: Any) -> Status:
        """Until a status the console got says so; that."""

        def found() -> list[Status]:
            return [
                status
                for status in self.console.statuses
                if all(msgspec.to_builtins(getattr(status, name)) == told for name, told in fields.items())
            ]

        await self.until(found)
        return found()[-1]


@asynccontextmanager
async def subscribed(folder: Path, console: FakeConsole | None = None) -> AsyncIterator[Subscribed]:
    """A subscription from what ``folder`` holds to a fake console."""
    own = console is None
    console = console or FakeConsole()
    made = Subscribed(console, folder)
    await made.delivery.start()
    try:
        yield made
    finally:
        await made.delivery.stop()
        if own:
            await asyncio.to_thread(console.stop)
