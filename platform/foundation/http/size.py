"""How long may a request be? Whoever sends more is refused before it fills the disk.

Django writes every body to a temporary file before any view sees it, however long it is; so the length is
looked at while it comes in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from foundation.http.raw import Receive, Scope, Send, header, problem

Application = Callable[..., Awaitable[None]]


class Bounded:
    """``application``, never given more than ``most`` bytes of a body: 413, and the connection ends."""

    def __init__(self, application: Application, most: int) -> None:
        self._application = application
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = header(scope, b"content-length")
        if announced.isascii() and announced.isdigit() and int(announced[:19]) > self._most:
            await self._refuse(send)
            return
        got = 0
        over = False

        async def counted() -> Any:
            nonlocal got, over
            message = await receive()
            if message["type"] == "http.request":
                got += len(message.get("body", b""))
                if got > self._most:
                    over = True
                    return {"type": "http.disconnect"}
            return message

        async def unless_over(message: Any) -> None:
            if not over:
                await send(message)

        await self._application(scope, counted, unless_over)
        if over:
            await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        megabytes = self._most // 1024**2
        await problem(
            send,
            413,
            "request_too_large",
            f"A request has at most {megabytes} MB.",
            headers=[(b"connection", b"close")],
        )
