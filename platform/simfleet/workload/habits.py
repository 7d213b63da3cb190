"""What does each tenant of the demo do all day? Numbers only; ``demo`` acts them out.

Chosen against the limits of ``examples/quickstart``, so that a minute of watching shows every
mechanism at work: conversations that hit the prefix cache, bursts that outgrow a reservation and spill,
a storm that fills queues and meets its rate limit. A few requests a second in all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chat:
    """People in multi-turn conversations. Durations are means of exponential draws, in seconds."""

    users: int
    """At once; each is in one conversation at a time."""
    service_tier: str | None
    think_s: float
    turns: int
    """Mean turns of a conversation."""
    system_tokens: int
    """Of a system prompt all users of the tenant share."""
    question_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Burst:
    """Many requests at once, now and then: a page that fans out, a job that starts, a loop gone wrong."""

    first_after_s: float
    every_s: float
    requests: int
    over_s: float
    """They are spread evenly over this long."""
    service_tier: str | None
    prompt_tokens: int
    shared_tokens: int
    """Leading part of the prompt that all requests of all bursts share."""
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Habit:
    tenant: str
    chats: tuple[Chat, ...] = ()
    bursts: tuple[Burst, ...] = ()


HABITS = (
    Habit(
        "acme",
        chats=(Chat(6, "priority", 6.0, 5, 900, 120, 90),),
        bursts=(Burst(14.0, 40.0, 12, 0.5, "priority", 4_000, 900, 40),),
    ),
    Habit("globex", chats=(Chat(5, None, 8.0, 4, 600, 200, 110),)),
    Habit(
        "initech",
        chats=(Chat(3, "flex", 10.0, 3, 400, 1_500, 60),),
    ),
    Habit(
        "umbrella",
        chats=(Chat(1, None, 12.0, 3, 300, 150, 60),),
        bursts=(Burst(8.0, 45.0, 90, 3.0, None, 2_500, 300, 30),),
    ),
)
"""Tenants of the quickstart policy. A tenant without an entry here is given ``NEWCOMER``'s day."""

NEWCOMER = Habit("", chats=(Chat(1, None, 10.0, 3, 300, 150, 60),))
