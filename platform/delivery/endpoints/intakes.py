"""How does a batch of a gateway's get to whoever keeps it, and what is the gateway told?

200 with a receipt once it is kept, and never before: a gateway throws its copy away then. Whatever is
in the way is a refusal that says whether sending the same again can help.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import orjson

from delivery.board import Caller
from foundation.http.raw import Receive, Send, TooLarge, answer, body_of, problem

log = logging.getLogger(__name__)

Intake = Callable[[str, str, bytes], Awaitable[Mapping[str, object]]]
"""A gateway, its environment, what it sent -> a receipt, JSON-ready. ``DecodeError``: that is no batch.
Anything else it raises: not kept."""
AGAIN = ((b"retry-after", b"1"),)


class Intakes:
    """By the last part of their address. Each takes one batch of a gateway at a time."""

    def __init__(self, intakes: Mapping[str, Intake]) -> None:
        self._intakes = intakes
        self._taking: set[tuple[str, str]] = set()

    def __contains__(self, name: object) -> bool:
        return name in self._intakes

    async def take(self, name: str, caller: Caller, receive: Receive, send: Send) -> None:
        busy = (name, caller.gateway)
        if busy in self._taking:  # so that what a gateway can make us hold is one body
            detail = "The last batch of this gateway is still being written."
            await problem(send, 429, "busy", detail, retryable=True, headers=AGAIN)
            return
        self._taking.add(busy)
        try:
            receipt = await self._kept(name, caller, await body_of(receive))
        except TooLarge:
            await problem(send, 413, "request_too_large", "A batch is at most 4 MiB: send fewer at a time.")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            await problem(send, 400, f"malformed_{name}", str(error))
        except Exception:
            log.exception("intake.not_kept intake=%s gateway=%s", name, caller.gateway)
            detail = "It could not be written: send it again."
            await problem(send, 503, "not_kept", detail, retryable=True, headers=AGAIN)
        else:
            await answer(send, 200, orjson.dumps(receipt), [(b"content-type", b"application/json")])
        finally:
            self._taking.discard(busy)

    async def _kept(self, name: str, caller: Caller, body: bytes) -> Mapping[str, object]:
        # Shielded: what was handed to a database is not called back because its sender hung up.
        taking = asyncio.ensure_future(self._intakes[name](caller.gateway, caller.environment, body))
        return await asyncio.shield(taking)
