"""A server that answers as told: what must a client make of each kind of answer, good or broken?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Asked", asyncio.StreamWriter], Any]


@dataclass
class Asked:
    """One request as it came in."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Scripted:
    url: str
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def asked_at_least(self, requests: int) -> None:
        """Returns once that many completions were asked for."""
        while len(self.asked) < requests:
            self.news.clear()
            await self.news.wait()


def event(**members: Any) -> bytes:
    return b"data: " + json.dumps(members).encode() + b"\n\n"


def stream_head(**headers: str) -> bytes:
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
        + extra
        + "\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def plain(status: int, body: Any) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status,
        len(data),
        data,
    )


def completion(*words: str, prompt: int = 100, cached: int = 40, **headers: str) -> bytes:
    """A whole streamed answer: role, one event a word, usage, end."""
    events = [event(choices=[{"delta": {"role": "assistant", "content": ""}}])]
    events += [event(choices=[{"delta": {"content": word}}]) for word in words]
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": len(words),
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    events += [event(choices=[], usage=usage), b"data: [DONE]\n\n"]
    return stream_head(**headers) + b"".join(map(chunk, events)) + b"0\r\n\r\n"


MODELS = plain(200, {"object": "list", "data": [{"id": "tiny"}]})


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Scripted]:
    """Serves ``script`` for completions, and one model, on a free port of the loopback."""
    state = Scripted("")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().rstrip().split("\r\n")
                headers = dict(part.split(": ", 1) for part in rest)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(line, headers, body)
                if "/models" in line:
                    writer.write(MODELS)
                    continue
                state.asked.append(asked)
                state.news.set()
                state.open_now += 1
                state.most_open = max(state.most_open, state.open_now)
                try:
                    result = script(asked, writer)
                    if asyncio.iscoroutine(result):
                        await result
                    await writer.drain()
                finally:
                    state.open_now -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left, or the script closed the connection: both are part of the play
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    state.url = f"http://{host}:{port}"
    async with server:
        yield state
        server.close()
