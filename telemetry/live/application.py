"""Who gets past the door of ``/ws/live``? A plain ASGI application over the hub.

A wrong or missing Origin, a path or a protocol that is not ours: refused before the socket is one. Whoever
is not signed in gets a socket that closes with 4401, because a page cannot read the status of a refusal.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection as database

from foundation.http.raw import Receive, Scope, Send
from telemetry.live import doors
from telemetry.live.connection import BUSY, PROTOCOL, UNAUTHENTICATED, Connection
from telemetry.live.doors import Guest
from telemetry.live.hub import Hub
from telemetry.live.tickets import PREFIX

PATH = "/ws/live"


class LiveApplication:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        offered: list[str] = scope.get("subprotocols", [])
        ours = doors.from_our_pages(scope)
        ticket = next((each.removeprefix(PREFIX) for each in offered if each.startswith(PREFIX)), "")
        if scope["path"] != PATH or PROTOCOL not in offered or ours is False or (ours is None and not ticket):
            await send({"type": "websocket.close", "code": 1008})
            return
        guest = await sync_to_async(_admitted, thread_sensitive=False)(scope, ticket)
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        if guest is None:
            await send({"type": "websocket.close", "code": UNAUTHENTICATED, "reason": "not signed in"})
            return
        connection = Connection(self.hub, guest, send)
        if not self.hub.admit(connection):
            await send({"type": "websocket.close", "code": BUSY, "reason": "too many sockets"})
            return
        try:
            await connection.run(receive)
        finally:
            self.hub.leave(connection)


def _admitted(scope: Any, ticket: str) -> Guest | None:
    try:
        bearer = doors.bearer_of_ticket(ticket) if ticket else doors.bearer_of_session(scope)
        return None if bearer is None else doors.standing(bearer)
    finally:
        database.close()
