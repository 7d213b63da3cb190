"""What is said on one socket? ``headway.live.v1``, from the handshake to the last word.

hello within five seconds; then sub, unsub, rate, ack and ping, at most 20 a second and 16 KiB each. Every
subscription is authorised by itself. One task reads, one writes; the writer waits for the socket, and
while it waits nothing piles up (``subscriptions``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta

from telemetry.live.channels import Channel, EventChannel
from telemetry.live.doors import Guest
from telemetry.live.subscriptions import GIVEN_UP_AFTER, LEAST_HZ, MOST_HZ, Subscription

if TYPE_CHECKING:
    from telemetry.live.hub import Hub

PROTOCOL = "headway.live.v1"
HELLO_WITHIN = 5.0
HEARTBEAT = 2.5
"""Seconds of silence before a heartbeat."""
MOST_BYTES = 16 * 1024
MOST_SUBSCRIPTIONS = 64
MOST_MESSAGES = 20
"""A second; twice as many at once."""
CLOSING = 1.0
"""Seconds a last word may take."""

MALFORMED, UNAUTHENTICATED, FORBIDDEN, SLOW, TOO_LARGE, BUSY, GOING = 4400, 4401, 4403, 4008, 1009, 4029, 1012
"""Why a socket is closed."""

Number = Annotated[int, Meta(ge=0, le=2**31)]
Position = tuple[Annotated[str, Meta(max_length=40)], Annotated[int, Meta(ge=0, le=2**53)]]


class Arguments(msgspec.Struct, frozen=True):
    """Which one of a channel."""

    environment: Annotated[str, Meta(max_length=63)] = ""
    tenant: Annotated[str, Meta(max_length=600)] = ""
    """Of ``me`` channels: which of one's own. Nobody else's can be named."""


class Said(msgspec.Struct, frozen=True):
    """Any message of a client. Unknown members are ignored."""

    op: Literal["hello", "sub", "unsub", "rate", "ack", "ping"]
    id: Number = 0
    ch: Annotated[str, Meta(max_length=160)] = ""
    args: Arguments = Arguments()
    hz: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    s: Annotated[dict[Annotated[str, Meta(max_length=10)], Number], Meta(max_length=64)] = {}
    resume: Annotated[dict[Annotated[str, Meta(max_length=160)], Position], Meta(max_length=64)] = {}


_SAID = msgspec.json.Decoder(Said)
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Over(Exception):
    """The socket is to be closed, or is."""

    def __init__(self, code: int, why: str = "") -> None:
        super().__init__(why)
        self.code = code


class Connection:
    """One socket that was accepted."""

    def __init__(self, hub: Hub, guest: Guest, send: Send) -> None:
        self.hub = hub
        self.guest = guest
        self._send = send
        self._subscriptions: dict[int, Subscription] = {}
        self._resume: dict[str, tuple[str, int]] = {}
        self._words: list[bytes] = []
        """Answers that wait for the writer; as many as messages were heard."""
        self._wake = asyncio.Event()
        self._spoke = hub.now()
        self._sending: float | None = None
        """Since when the socket has not taken what it was given."""
        self._over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self._allowance = 2.0 * MOST_MESSAGES
        self._heard = hub.now()

    # -- what the hub calls --------------------------------------------------------------------

    def wake(self) -> None:
        """Channels may have moved on."""
        self._wake.set()

    def end(self, code: int, why: str = "") -> None:
        if not self._over.done():
            self._over.set_result(Over(code, why))

    def look(self, now: float) -> None:
        """Once a second: is it too slow, or silent for too long?"""
        stuck = self._sending is not None and now - self._sending > GIVEN_UP_AFTER
        if stuck or any(each.late(now) > GIVEN_UP_AFTER for each in self._subscriptions.values()):
            self.end(SLOW, "too slow")
        elif now - self._spoke >= HEARTBEAT and self._sending is None:
            self._words.append(orjson.dumps({"t": "hb", "now": self.hub.now_ms()}))
            self._wake.set()

    def renewed(self, guest: Guest | None) -> None:
        """What the guest may see was looked up again."""
        if guest is None:
            self.end(UNAUTHENTICATED, "signed out")
            return
        self.guest = guest
        for number, held in list(self._subscriptions.items()):
            if not self.hub.may_still(guest, held.channel):
                del self._subscriptions[number]
                self._refuse(number, "forbidden", "This channel is not yours any longer.")
        self._wake.set()

    def hears(self, channel: Channel) -> bool:
        return any(held.channel is channel for held in self._subscriptions.values())

    # -- its life ------------------------------------------------------------------------------

    async def run(self, receive: Receive) -> None:
        tasks = [asyncio.create_task(self._read(receive)), asyncio.create_task(self._write())]
        try:
            waited: list[asyncio.Future[Any]] = [*tasks, self._over]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        over = self._over.result() if self._over.done() else None
        over = over or next((each for each in ended if isinstance(each, Over)), None)
        if over is not None and over.code:
            await self._say_why(over)
        for each in ended:
            if isinstance(each, Exception) and not isinstance(each, (Over, OSError)):
                raise each

    async def _say_why(self, over: Over) -> None:
        """As far as the socket still takes anything."""
        with contextlib.suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSING):
                await self._send({"type": "websocket.close", "code": over.code, "reason": str(over)})

    async def _read(self, receive: Receive) -> None:
        async with asyncio.timeout(HELLO_WITHIN) as patience:
            try:
                while True:
                    message = await receive()
                    if message["type"] == "websocket.disconnect":
                        raise Over(0)
                    said = self._understood(message)
                    if said.op == "hello":
                        patience.reschedule(None)
                        self._hello(said)
                    elif patience.when() is not None:
                        raise Over(MALFORMED, "say hello first")
                    else:
                        self._answer(said)
            except TimeoutError:
                raise Over(MALFORMED, "no hello") from None

    def _understood(self, message: MutableMapping[str, Any]) -> Said:
        now = self.hub.now()
        self._allowance = min(2.0 * MOST_MESSAGES, self._allowance + (now - self._heard) * MOST_MESSAGES)
        self._heard = now
        self._allowance -= 1
        if self._allowance < 0:
            raise Over(BUSY, "too many messages")
        text = message.get("text")
        data = text.encode() if text is not None else message.get("bytes") or b""
        if len(data) > MOST_BYTES:
            raise Over(TOO_LARGE, "too large")
        try:
            return _SAID.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Over(MALFORMED, "malformed") from None

    def _hello(self, said: Said) -> None:
        self._resume = dict(said.resume)
        self._word(
            {
                "t": "welcome",
                "srv": self.hub.epoch,
                "now": self.hub.now_ms(),
                "hb": round(HEARTBEAT * 1000),
                "max_hz": MOST_HZ,
            }
        )

    def _answer(self, said: Said) -> None:
        held = self._subscriptions.get(said.id)
        if said.op == "sub":
            self._subscribe(said)
        elif said.op == "unsub":
            self._subscriptions.pop(said.id, None)
        elif said.op == "rate" and held is not None:
            held.rate(_within(said.hz))
            self._wake.set()
        elif said.op == "ack":
            for number, seq in said.s.items():
                if number.isdigit() and (of := self._subscriptions.get(int(number))) is not None:
                    of.acknowledged(seq)
            self._wake.set()
        elif said.op == "ping":
            self._word({"t": "hb", "now": self.hub.now_ms()})

    def _subscribe(self, said: Said) -> None:
        if said.id not in self._subscriptions and len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            self._refuse(said.id, "rate", f"At most {MOST_SUBSCRIPTIONS} subscriptions a socket.")
            return
        channel = self.hub.channel(self.guest, said.ch, said.args)
        if isinstance(channel, str):
            # One text for what is not there and for what is not theirs: it tells nobody which.
            self._refuse(said.id, channel, "There is no such channel for you.")
            return
        now = self.hub.now()
        epoch, seq = self._resume.pop(said.ch, ("", 0))
        if isinstance(channel, EventChannel):
            begin = seq if channel.remembers(epoch, seq) else channel.first()
            self._subscriptions[said.id] = Subscription(said.id, channel, MOST_HZ, begin)
        elif channel.remembers(epoch, seq):
            held = Subscription(said.id, channel, _within(said.hz), seq)
            self._subscriptions[said.id] = held
            if seq != channel.seq:
                self._words += channel.replay(said.id, seq)
                held.sent(now)
        else:
            held = Subscription(said.id, channel, _within(said.hz), channel.seq)
            self._subscriptions[said.id] = held
            self._words.append(channel.snapshot(said.id))
            held.sent(now)
        self._wake.set()

    def _refuse(self, number: int, code: str, message: str) -> None:
        self._word({"t": "err", "id": number, "code": code, "msg": message})

    def _word(self, members: dict[str, Any]) -> None:
        self._words.append(orjson.dumps(members))
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            words, self._words = self._words, []
            for word in words:
                await self._put(word)
            for held in list(self._subscriptions.values()):
                for frame in held.frames(self.hub.now()):
                    await self._put(frame)

    async def _put(self, frame: bytes) -> None:
        self._sending = self._spoke = self.hub.now()
        await self._send({"type": "websocket.send", "text": frame.decode()})
        self._sending = None
        self.hub.sent += 1


def _within(hz: float) -> float:
    return min(MOST_HZ, max(LEAST_HZ, hz))
