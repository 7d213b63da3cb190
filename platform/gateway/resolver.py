"""Which replicas do the names of the policy stand for? Each name is asked for every few seconds.

The system's resolver is asked, in the event loop's threads: at most a few questions at once, one a name. A
question that hangs holds its thread, so no other is asked of that name until it ends. What an answer means,
and that a failed one changes nothing, is for ``coordination.engines`` to say.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from coordination.engines import Resolved, Unresolved, failing, resolved
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.log import log

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses; raises ``OSError``."""

PERIOD_SECONDS = 5.0
ANSWER_SECONDS = 3.0
"""A question that takes longer has failed."""
FIRST_SECONDS = 2.0
"""How long a gateway that starts waits for its names before it serves."""
AT_ONCE = 3
"""Of the loop's four threads, which also look up where replicas with a name of their own are."""


async def addresses(host: str, port: int) -> list[str]:
    """What the system's resolver answers, of both versions of IP."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Resolver:
    """Asks for the names of the policy in force and tells the coordinator."""

    def __init__(self, coordinator: Coordinator, clock: PolicyClock, lookup: Lookup | None = None) -> None:
        self._coordinator = coordinator
        self._clock = clock
        self._lookup = lookup or addresses
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: dict[str, tuple[float, asyncio.Task[None]]] = {}
        """Name -> when it was asked for, and the question."""
        self._asked: dict[str, float] = {}
        self.known: dict[str, Resolved] = {}

    async def first(self) -> None:
        """Ask for all names and wait a little, so that whoever starts knows its replicas."""
        self.ask()
        under_way = [task for _, task in self._asking.values()]
        if under_way:
            await asyncio.wait(under_way, timeout=FIRST_SECONDS)

    def start(self) -> None:
        """Ask now, and again every period until ``close``."""
        self._timer = self._loop.call_later(PERIOD_SECONDS, self.start)
        self.ask()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for _, task in self._asking.values():
            task.cancel()

    def states(self) -> list[dict[str, Any]]:
        """Every name of the policy, as last answered. Unknown is ``null``."""
        now = self._clock.now()
        return [
            {
                "name": name,
                "replicas": len(known.members),
                "age_ms": None if known.at is None else (now - known.at) // 1000,
                "failing_ms": None if known.failing_since is None else (now - known.failing_since) // 1000,
                "problem": known.problem,
            }
            for name, known in sorted(self.known.items())
        ]

    def page(self) -> bytes:
        """For the metrics page; nothing where no policy has a name."""
        if not self.known:
            return b""
        lines = [
            "# HELP headway_dns_failing Whether the last question for a name of replicas brought no answer.",
            "# TYPE headway_dns_failing gauge",
        ]
        for name, known in sorted(self.known.items()):
            lines.append(f'headway_dns_failing{{name="{name}"}} {int(known.problem is not None)}')
        return ("\n".join(lines) + "\n").encode()

    def ask(self) -> None:
        """Ask for what is not being asked for, as far as there is room; note who did not answer in time."""
        named = {one.dns for one in self._coordinator.program.pools.values() if one.dns is not None}
        for gone in self.known.keys() - named:
            del self.known[gone]
            self._asked.pop(gone, None)
        now = self._loop.time()
        for name in named:
            self.known.setdefault(name, Resolved())
            if name in self._asking and now - self._asking[name][0] > ANSWER_SECONDS:
                self._failed(name, "no answer in time")
        for name in sorted(named - self._asking.keys(), key=lambda one: self._asked.get(one, 0.0)):
            if len(self._asking) >= AT_ONCE:  # its turn comes first the next time
                if now - self._asked.setdefault(name, now) > 2 * PERIOD_SECONDS:
                    self._failed(name, "the questions for other names take all the time there is")
                continue
            self._asked[name] = now
            self._asking[name] = (now, self._loop.create_task(self._question(name)))

    async def _question(self, name: str) -> None:
        host, _, port = name.rpartition(":")
        try:
            found = await self._lookup(host, int(port))
            if name not in self.known:
                return  # no policy has it any more
            before = self.known[name]
            self.known[name], change = resolved(before, found, int(port), self._clock.now())
        except (OSError, Unresolved) as error:
            self._failed(name, str(error))
            return
        finally:
            self._asking.pop(name, None)
        if before.problem is not None:
            log("dns_answers", name=name)
        if change:
            log("dns_changed", name=name, added=list(change.added), removed=list(change.removed))
            self._coordinator.found(name, self.known[name].members)

    def _failed(self, name: str, problem: str) -> None:
        known = self.known.get(name)
        if known is None:
            return
        if known.problem is None:  # once for each trouble, not once for each question
            log("dns_failing", name=name, message=problem, kept=len(known.members))
        self.known[name] = failing(known, problem, self._clock.now())
