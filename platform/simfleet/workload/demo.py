"""What does the demo send? Four tenants' days, acted out until stopped, the same for the same seed.

What the tenants ask and when they would ask it follows from the seed alone; when they do ask it also
depends on how long they wait for answers, as with people.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simfleet.traces import words
from simfleet.workload.answers import Answer
from simfleet.workload.client import Client, ExchangeFailed, Target
from simfleet.workload.habits import HABITS, NEWCOMER, Burst, Chat, Habit
from simfleet.workload.keys import TenantKey

TIMEOUT_S = 120.0
LONGEST_PAUSE_S = 15.0
"""People come back sooner than an hourly limit might ask."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Witnessed:
    """What the demo has seen happen to its requests so far."""

    answered: int = 0
    waited: int = 0
    """Answered after some time in a queue."""
    spilled: int = 0
    """Served outside a reservation that had no room."""
    cache_hits: int = 0
    limited: int = 0
    """Refused with 429."""
    refused: int = 0
    """Refused otherwise."""
    failed: int = 0

    def count(self, answer: Answer) -> None:
        """Takes in one answer."""
        if answer.status != 200:
            if answer.status == 429:
                self.limited += 1
            else:
                self.refused += 1
            return
        self.answered += 1
        self.waited += _number(answer.headers.get("x-headway-queue-ms")) > 0
        self.spilled += answer.headers.get("x-headway-reservation") == "spilled"
        self.cache_hits += answer.cached_tokens > 0


@dataclass(slots=True)
class _Caller:
    """One tenant's way to the gateway."""

    client: Client
    tenant: TenantKey
    model: str
    seen: Witnessed

    async def ask(
        self, messages: list[dict[str, str]], answer_tokens: int, tier: str | None, session: str
    ) -> Answer | None:
        """One streamed completion; ``None`` if no whole answer came."""
        body: dict[str, Any] = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": answer_tokens,
            "messages": messages,
        }
        if tier is not None:
            body["service_tier"] = tier
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self.client.complete(
                    _encode(body), self.tenant.api_key, f"x-session-id: {session}\r\n"
                )
        except (ExchangeFailed, TimeoutError):
            self.seen.failed += 1
            return None
        self.seen.count(answer)
        return answer


@dataclass(slots=True)
class _Person:
    """One user of a tenant: thinks, asks, reads, asks again."""

    caller: _Caller
    chat: Chat
    name: str
    draw: random.Random
    conversations: int = field(default=0)

    async def live(self) -> None:
        # Nobody starts on the same second.
        await asyncio.sleep(self.draw.uniform(0, self.chat.think_s))
        while True:
            await self._converse()

    async def _converse(self) -> None:
        self.conversations += 1
        session = f"{self.name}-{self.conversations}"
        chat = self.chat
        system = words(f"{self.caller.tenant.name} system".encode(), chat.system_tokens).decode()
        history = [{"role": "system", "content": system}]
        for turn in range(1 + self.draw.randrange(2 * chat.turns - 1)):
            asked = 1 + int(self.draw.expovariate(1 / chat.question_tokens))
            wanted = 8 + int(self.draw.expovariate(1 / chat.answer_tokens))
            question = words(f"{session} {turn}".encode(), asked).decode()
            history.append({"role": "user", "content": question})
            while (answer := await self._ask(history, wanted, session)) is None:
                pass
            history.append({"role": "assistant", "content": "".join(answer.texts)})
            await asyncio.sleep(self.draw.expovariate(1 / chat.think_s))

    async def _ask(self, history: list[dict[str, str]], wanted: int, session: str) -> Answer | None:
        """The answer, or ``None`` after the pause the gateway asked for."""
        answer = await self.caller.ask(history, wanted, self.chat.service_tier, session)
        if answer is not None and answer.complete and answer.status == 200:
            return answer
        pause = _number(answer.headers.get("retry-after")) if answer is not None else 0.0
        await asyncio.sleep(min(max(pause, 1.0), LONGEST_PAUSE_S))
        return None


async def _bursts(caller: _Caller, burst: Burst, name: str) -> None:
    loop = asyncio.get_running_loop()
    shared = words(f"{name} shared".encode(), burst.shared_tokens).decode()
    due = loop.time() + burst.first_after_s
    number = 0
    while True:
        await asyncio.sleep(due - loop.time())
        # A burst does not slow down for the answers: that is what makes it one.
        async with asyncio.TaskGroup() as group:
            for index in range(burst.requests):
                own = words(f"{name} {number} {index}".encode(), burst.prompt_tokens - burst.shared_tokens)
                messages = [{"role": "user", "content": shared + own.decode()}]
                group.create_task(
                    caller.ask(messages, burst.answer_tokens, burst.service_tier, f"{name}-{number}-{index}")
                )
                await asyncio.sleep(burst.over_s / burst.requests)
        number += 1
        due = max(due + burst.every_s, loop.time())


async def act_out(
    target: Target,
    tenants: tuple[TenantKey, ...],
    model: str,
    *,
    seed: int,
    stop: asyncio.Event,
    seen: Witnessed,
    habits: tuple[Habit, ...] = HABITS,
) -> None:
    """Sends until ``stop`` is set, then leaves at once; ``seen`` is kept up to date meanwhile.

    A gateway that is away is met with patience: each caller tries again after a second.
    """
    days = {habit.tenant: habit for habit in habits}
    async with Client(target) as client, asyncio.TaskGroup() as group:
        tasks = []
        for tenant in tenants:
            caller = _Caller(client, tenant, model, seen)
            habit = days.get(tenant.name, NEWCOMER)
            for kind, chat in enumerate(habit.chats):
                for user in range(chat.users):
                    name = f"{tenant.name}-{kind}-{user}"
                    draw = random.Random(f"{seed} {name}")  # noqa: S311 - a demo, not a secret
                    tasks.append(group.create_task(_Person(caller, chat, name, draw).live()))
            for kind, burst in enumerate(habit.bursts):
                tasks.append(group.create_task(_bursts(caller, burst, f"{tenant.name}-burst-{kind}")))
        await stop.wait()
        for task in tasks:
            task.cancel()


def _number(text: str | None) -> float:
    """A header's number; 0 if there is none."""
    try:
        return float(text) if text else 0.0
    except ValueError:
        return 0.0
