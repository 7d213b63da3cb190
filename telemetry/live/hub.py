"""Who is told what, and when? One hub in each web process, on its event loop.

A third of a second after each whole second it closes the second that is over: points are made, channels
step, listeners wake. Batches that come later are worked in between, and listeners are told which stretch
to ask REST for again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable

from asgiref.sync import sync_to_async
from django.db import connection as database

from fleet.selectors import environments
from telemetry.live.channels import Channel, EventChannel, TableChannel
from telemetry.live.connection import GOING, Arguments, Connection
from telemetry.live.doors import Guest, standing
from telemetry.live.messages import Arrived, Happened, Message, Revoked
from telemetry.live.recent import SPAN, Recent
from telemetry.series import store
from telemetry.series.store import Placed
from telemetry.series.tables import FLEET, MINE, MINUTE, Rows, Second

log = logging.getLogger(__name__)

GRACE = 0.3
"""Seconds after the end of a second that its batches are waited for."""
RECHECK = 60.0
"""Seconds between looks at what each guest may see."""
IDLE = 180.0
"""Seconds a channel without listeners is kept going: longer than anybody may resume after."""
MOST_SOCKETS = 8
"""Of one person."""
REPAIRED_AT_ONCE = 0.01
"""Seconds of work on late batches before others get their turn."""
EVENTS = frozenset({"releases", "alerts", "decisions", "health", "simulations"})

ChannelKey = tuple[str, str, str]
"""(environment, channel, tenant or empty)."""


class Hub:
    """The figures of every environment, and everybody who listens."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.epoch = secrets.token_hex(3)
        self._clock = clock
        self._recents: dict[str, Recent] = {}
        self._channels: dict[ChannelKey, Channel] = {}
        self._used: dict[ChannelKey, float] = {}
        self._connections: dict[Connection, float] = {}
        """When each guest's rights were last looked up."""
        self._closed = self._over()
        """The newest second that is closed."""
        self._repairs = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._checks: set[asyncio.Task[None]] = set()
        self.sent = 0
        """Frames."""

    def now(self) -> float:
        return time.monotonic()

    def now_ms(self) -> int:
        return round(self._clock() * 1000)

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._tick(), name="live-tick"),
            asyncio.create_task(self._repair(), name="live-repair"),
            asyncio.create_task(self._remember(), name="live-remember"),
        ]

    async def stop(self) -> None:
        self.release()
        for task in (*self._tasks, *self._checks):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._checks, return_exceptions=True)

    def release(self) -> None:
        """Send everybody away: the process is about to stop."""
        for connection in list(self._connections):
            connection.end(GOING, "restarting")

    # -- what happens --------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Anything a hub acts on, from this process or another."""
        if isinstance(message, Arrived):
            self._add(Placed(message.environment, message.gateway, *each) for each in message.batches)
        elif isinstance(message, Happened):
            self._happened(message)
        elif isinstance(message, Revoked):
            for connection in list(self._connections):
                if connection.guest.user == message.user:
                    self._look_up(connection)

    def _add(self, batches: Iterable[Placed]) -> None:
        for placed in batches:
            recent = self._recent(placed.environment)
            recent.add(placed.gateway, placed.second, placed.batch)
            if recent.damaged:
                self._repairs.set()

    def _recent(self, environment: str) -> Recent:
        found = self._recents.get(environment)
        if found is None:
            found = self._recents[environment] = Recent(self._closed)
        return found

    def _happened(self, event: Happened) -> None:
        channel = self._channels.get((event.environment, event.channel, ""))
        if channel is None:
            key = (event.environment, event.channel, "")
            channel = self._channels[key] = EventChannel(self._epoch())
        if isinstance(channel, EventChannel):
            channel.happened(event.kind, event.at_ms, event.facts)
            self._wake()

    def _epoch(self) -> str:
        return f"{self.epoch}.{secrets.token_hex(2)}"

    # -- time ----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep((1 + GRACE - self._clock() % 1) % 1 or 1.0)
            try:
                self.tick()
            except Exception:
                log.exception("live.tick_failed")
                await asyncio.sleep(0.5)

    def _over(self) -> int:
        """The newest second whose batches have had their time to come."""
        return int(self._clock() - GRACE) - 1

    def tick(self) -> None:
        """Close the second that is over, tell everybody, and look after the connections."""
        second = self._over()
        if second <= self._closed:
            return  # the clock was set back: the figures stand until it has caught up
        self._closed = second
        for recent in self._recents.values():
            recent.close(second)
        now = self.now()
        for key, channel in list(self._channels.items()):
            if isinstance(channel, TableChannel):
                if now - self._used[key] > IDLE and not self._listened(channel):
                    del self._channels[key], self._used[key]
                else:
                    channel.advance((second + 1) * 1000, self._rows(key, second))
        self._wake()
        for connection, looked in list(self._connections.items()):
            connection.look(now)
            if now - looked > RECHECK:
                self._connections[connection] = now
                self._look_up(connection)

    def _listened(self, channel: Channel) -> bool:
        return any(connection.hears(channel) for connection in self._connections)

    def _wake(self) -> None:
        for connection in self._connections:
            connection.wake()

    def _rows(self, key: ChannelKey, second: int) -> Rows:
        environment, name, tenant = key
        recent = self._recents.get(environment)
        if recent is None:
            return {}
        if name in MINE:
            return MINE[name][2](recent.last(MINUTE), tenant)
        return recent.rows(name, second) or {}

    # -- what comes late -----------------------------------------------------------------------

    async def _repair(self) -> None:
        """Work late batches in, a little at a time; then say which stretch has changed."""
        while True:
            await self._repairs.wait()
            self._repairs.clear()
            for environment, recent in list(self._recents.items()):
                done: list[int] = []
                began = self.now()
                while (second := recent.repair()) is not None:
                    done.append(second)
                    if self.now() - began > REPAIRED_AT_ONCE:
                        await asyncio.sleep(0.005)
                        began = self.now()
                if done:
                    stretch = {"from": min(done) * 1000, "to": (max(done) + 1) * 1000}
                    self._happened(Happened(environment, "health", "series.filled", self.now_ms(), stretch))

    async def _remember(self) -> None:
        """A hub that begins knows what the last quarter hour's batches said."""
        since = int(self._clock()) - SPAN
        try:
            for environment in await sync_to_async(_environments, thread_sensitive=False)():
                found = await sync_to_async(_remembered, thread_sensitive=False)(environment, since)
                self._add(found)
        except Exception:
            log.exception("live.remember_failed")

    # -- connections ---------------------------------------------------------------------------

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more socket of this person."""
        held = sum(1 for each in self._connections if each.guest.user == connection.guest.user)
        if held >= MOST_SOCKETS:
            return False
        self._connections[connection] = self.now()
        return True

    def leave(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    @property
    def sockets(self) -> int:
        return len(self._connections)

    def _look_up(self, connection: Connection) -> None:
        task = asyncio.create_task(self._renew(connection))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _renew(self, connection: Connection) -> None:
        try:
            guest = await sync_to_async(standing, thread_sensitive=False)(connection.guest.bearer)
        except Exception:
            log.exception("live.look_up_failed")  # the next look is in a minute
        else:
            connection.renewed(guest)

    # -- channels ------------------------------------------------------------------------------

    def channel(self, guest: Guest, name: str, arguments: Arguments) -> Channel | str:
        """The channel, begun if it was not there; or why not: ``unknown``, ``forbidden``, ``args``."""
        mine = name in MINE
        if not mine and name not in FLEET and name not in EVENTS:
            return "unknown"
        environment = arguments.environment or (guest.environments[0] if guest.environments else "")
        if environment not in guest.environments:
            return "args"
        tenant = ""
        if mine:
            # Whose figures these are is what the server knows of the guest, and never what the guest says:
            # a name given may only choose among their own.
            tenant = arguments.tenant or (guest.tenants[0] if guest.tenants else "")
            if tenant not in guest.tenants:
                return "forbidden"
        elif not guest.staff:
            return "forbidden"
        key = (environment, name, tenant)
        self._used[key] = self.now()
        found = self._channels.get(key)
        if found is None:
            found = self._channels[key] = self._begin(key)
        return found

    def may_still(self, guest: Guest, channel: Channel) -> bool:
        for (environment, name, tenant), held in self._channels.items():
            if held is channel:
                allowed = tenant in guest.tenants if name in MINE else guest.staff
                return allowed and environment in guest.environments
        return False

    def _begin(self, key: ChannelKey) -> Channel:
        _, name, _ = key
        if name in EVENTS:
            return EventChannel(self._epoch())
        if name in MINE:
            metrics, units = MINE[name][:2]
        else:
            metrics, units = FLEET[name].metrics, FLEET[name].units
        channel = TableChannel(self._epoch(), metrics, units)
        channel.advance((self._closed + 1) * 1000, self._rows(key, self._closed))
        return channel

    # -- what REST asks, from other threads -----------------------------------------------------

    def points(self, environment: str, table: str, since: int, until: int) -> list[tuple[int, Rows]]:
        """(second, rows) of the seconds [since, until) that have points."""
        recent = self._recents.get(environment)
        if recent is None:
            return []
        found = ((second, recent.rows(table, second)) for second in range(since, until))
        return [(second, rows) for second, rows in found if rows is not None]

    def newest(self, environment: str, table: str) -> Rows | None:
        """The table now; None where nothing was ever heard."""
        recent = self._recents.get(environment)
        return None if recent is None else recent.rows(table, recent.closed)

    def remembers_since(self, environment: str) -> int | None:
        """The oldest second that may have points; None where nothing was ever heard."""
        recent = self._recents.get(environment)
        return None if recent is None else recent.closed - SPAN + 1

    def seconds_of(self, environment: str, seconds: int) -> list[tuple[int, Second]]:
        """The newest ``seconds``, each with its number, oldest first. Made anew: safe from any thread."""
        recent = self._recents.get(environment)
        return [] if recent is None else recent.copies(seconds)


def _environments() -> list[str]:
    try:
        return list(environments().values_list("name", flat=True))
    finally:
        database.close()


def _remembered(environment: str, since: int) -> list[Placed]:
    try:
        return list(store.batches(environment, since, since + SPAN + MINUTE))
    finally:
        database.close()
