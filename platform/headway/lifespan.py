"""When do the background parts of a web process start and stop? With the server's own life."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]


class Lives(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Lifespan:
    """The ASGI lifespan protocol over something that starts and stops."""

    def __init__(self, lives: Lives) -> None:
        self._lives = lives

    async def __call__(
        self,
        _scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._lives.start()
                except Exception as error:
                    log.exception("web.start_failed")
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._lives.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
