"""A client that says exactly what a test tells it to, and reads answers one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

GUARD_SECONDS = 20.0
"""Far above anything a test waits for: it only turns a hang into a failure."""


async def until(condition: Callable[[], Any]) -> None:
    """Poll a condition that another task brings about; the guard only ends a hang."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not condition():  # noqa: ASYNC110 - the condition is someone else's plain state
            await asyncio.sleep(0.002)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int) -> RawClient:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Answer:
        """The next answer's head; its body is left unread."""
        raw = await self._guarded(self.reader.readuntil(b"\r\n\r\n"))
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name] = value
        return Answer(int(first.split()[1]), headers, b"")

    async def answer(self) -> Answer:
        """The next answer, whole."""
        answer = await self.head()
        if answer.headers.get("transfer-encoding") == "chunked":
            answer.body = b"".join([chunk async for chunk in self.chunks()])
        elif "content-length" in answer.headers:
            answer.body = await self._guarded(self.reader.readexactly(int(answer.headers["content-length"])))
        elif answer.status >= 200:
            answer.body = await self._guarded(self.reader.read())
        return answer

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            size = int(await self._guarded(self.reader.readuntil(b"\r\n")), 16)
            data = await self._guarded(self.reader.readexactly(size + 2))
            if size == 0:
                return
            yield data[:-2]

    async def ended(self) -> bool:
        """The server has closed its side, and sent nothing more."""
        return await self._guarded(self.reader.read()) == b""

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Gone without a word."""
        self.writer.transport.abort()

    async def _guarded(self, awaitable: Awaitable[T]) -> T:
        return await asyncio.wait_for(awaitable, GUARD_SECONDS)
