"""A hub whose time a test moves, and sockets to it, in this process: raw ASGI, as a server speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from telemetry.live.application import LiveApplication
from telemetry.live.connection import PROTOCOL
from telemetry.live.hub import GRACE, Hub
from telemetry.live.messages import Arrived
from tests.telemetry.batches import GATEWAY, T0, batch

GUARD = 20.0
ORIGIN = "http://console.test"


class TimedHub(Hub):
    """No tasks of its own: a test ticks it."""

    def __init__(self) -> None:
        self.time = float(T0)
        super().__init__(lambda: self.time)

    def now(self) -> float:
        return self.time

    def second(self, *series: Any, gateway: str = GATEWAY, **more: Any) -> None:
        """A second goes by, of which the gateway told."""
        number = int(self.time) - T0
        self.take(Arrived("dev", gateway, ((int(self.time), batch(number, *series, **more)),)))
        self.pass_by()

    def pass_by(self, seconds: float = 1.0) -> None:
        """Time goes by, of which nobody tells."""
        for _ in range(round(seconds)):
            self.time += 1
            moment, self.time = self.time, self.time + GRACE + 0.01
            self.tick()
            self.time = moment


class Socket:
    """One client."""

    def __init__(self, hub: Hub, **scope: Any) -> None:
        headers = {b"host": b"console.test", b"origin": ORIGIN.encode(), **scope.pop("headers", {})}
        self.scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": "/ws/live",
            "subprotocols": [PROTOCOL],
            "headers": [(name, value) for name, value in headers.items() if value is not None],
            **scope,
        }
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.frames: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self.accepted = False
        self.code: int | None = None
        """It was closed with this."""
        self.takes = asyncio.Event()
        """Cleared, the socket takes nothing more: the sender waits."""
        self.takes.set()
        self._news = asyncio.Event()
        self._in.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(LiveApplication(hub)(self.scope, self._in.get, self._send))

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] == "websocket.close":
            self.code = message["code"]
        else:
            await self.takes.wait()
            self.raw.append(message["text"])
            self.frames.append(orjson.loads(message["text"]))
        self._news.set()

    def say(self, **members: Any) -> None:
        self.text(orjson.dumps(members).decode())

    def text(self, text: str) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    def hang_up(self) -> None:
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["t"] in kinds]

    async def until(self, true: Any, what: str = "what was waited for") -> None:
        async with asyncio.timeout(GUARD):
            while not true():
                self._news.clear()
                waiting = asyncio.ensure_future(self._news.wait())
                await asyncio.wait((waiting, self.task), return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                assert true() or not self.task.done(), f"the socket is over ({self.code}): no {what}"

    async def closed(self) -> int | None:
        async with asyncio.timeout(GUARD):
            await self.task
        return self.code

    async def subscribed(self, channel: str, number: int = 1, **more: Any) -> dict[str, Any]:
        """The answer: a snapshot or an error."""
        self.say(op="sub", id=number, ch=channel, **more)
        await self.until(
            lambda: any(f["t"] in ("snap", "err") and f.get("id") == number for f in self.frames), "answer"
        )
        return [f for f in self.of("snap", "err") if f.get("id") == number][-1]


@asynccontextmanager
async def socket(hub: Hub, **scope: Any) -> AsyncIterator[Socket]:
    opened = Socket(hub, **scope)
    try:
        yield opened
    finally:
        opened.hang_up()
        opened.task.cancel()
        await asyncio.gather(opened.task, return_exceptions=True)
