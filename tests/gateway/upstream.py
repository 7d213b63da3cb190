"""A replica that does what a test scripts: exact bytes, one after another, and then hangs, ends or dies."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.raw_client import until

METRICS = b"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n"
USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}


@dataclass
class Call:
    """One request as the replica saw it, and the means to answer it."""

    head: str
    body: dict[str, Any]
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The gateway has closed this connection."""

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def whole(
        self, body: bytes, status: str = "200 OK", kind: str = "application/json", extra: str = ""
    ):
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
        await self.raw(head.encode() + body)

    async def begin_stream(self) -> None:
        await self.raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.raw(b"0\r\n\r\n")

    def die(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Call], Awaitable[None]]


def event(text: str = "hi", **members: Any) -> bytes:
    body = {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": text}}],
    }
    return b"data: " + json.dumps(body | members, separators=(",", ":")).encode() + b"\n\n"


USAGE_EVENT = event(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"


async def answer(call: Call) -> None:
    """The ordinary script: three words, streamed or whole."""
    if call.body.get("stream"):
        await call.begin_stream()
        for word in ("one ", "two ", "three"):
            await call.chunk(event(word))
        if (call.body.get("stream_options") or {}).get("include_usage"):
            await call.chunk(USAGE_EVENT)
        await call.chunk(DONE)
        await call.end_stream()
        return
    message = {"role": "assistant", "content": "one two three"}
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": call.body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    await call.whole(json.dumps(body, indent=1).encode())


class Upstream:
    """One scripted replica. ``script`` may be changed between requests."""

    def __init__(self, script: Script = answer) -> None:
        self.script = script
        self.pages: dict[str, tuple[int, bytes]] | None = None
        """Path -> status and body of a GET, 404 for any other; ``None``: a page of metrics for all."""
        self.asked: list[str] = []
        """Paths of all GETs so far."""
        self.answers = asyncio.Event()
        """Whether GETs are answered now."""
        self.answers.set()
        self.calls: list[Call] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        self._server = await asyncio.start_server(self._serve, sock=sock, ssl=tls)
        self.port = sock.getsockname()[1]

    async def stop(self) -> None:
        self.answers.set()
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await until(lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        writer.transport.set_write_buffer_limits(high=1024)
        self.connections += 1
        call: Call | None = None
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if head.startswith("GET"):
                    answered = Call(head, {}, writer)
                    self.asked.append(head.split()[1])
                    await self.answers.wait()
                    status, page = 200, METRICS
                    if self.pages is not None:
                        status, page = self.pages.get(head.split()[1], (404, b"{}"))
                    await answered.whole(page, f"{status} Said", kind="text/plain")
                    continue
                lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0].split(":")[1]))
                call = Call(head, json.loads(body), writer)
                self.calls.append(call)
                script = asyncio.ensure_future(self.script(call))
                watch = asyncio.ensure_future(_until_gone(reader, writer))
                await asyncio.wait((script, watch), return_when=asyncio.FIRST_COMPLETED)
                if watch.done():
                    call.gone.set()
                    script.cancel()
                    return
                watch.cancel()
                script.result()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if call is not None:
                call.gone.set()
            writer.transport.abort()
            self._writers.discard(writer)


async def _until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Returns when the peer has closed or reset; nothing is pipelined, so nothing is read away."""
    await until(lambda: reader.at_eof() or reader.exception() is not None or writer.transport.is_closing())


@asynccontextmanager
async def replicas(count: int = 1, script: Script = answer):
    made = [Upstream(script) for _ in range(count)]
    for one in made:
        await one.listen()
    try:
        yield made
    finally:
        for one in made:
            await one.stop()
