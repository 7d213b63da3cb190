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
        chats=(
            Chat(
                users=6,
                service_tier="priority",
                think_s=6.0,
                turns=5,
                system_tokens=900,
                question_tokens=120,
                answer_tokens=90,
            ),
        ),
        # 60k prompt tokens at once; the reservation takes 40k in ten seconds, the rest spills.
        bursts=(
            Burst(
                first_after_s=14.0,
                every_s=40.0,
                requests=15,
                over_s=0.5,
                service_tier="priority",
                prompt_tokens=4_000,
                shared_tokens=600,
                answer_tokens=40,
            ),
        ),
    ),
    Habit(
        "globex",
        chats=(
            Chat(
                users=5,
                service_tier=None,
                think_s=8.0,
                turns=4,
                system_tokens=600,
                question_tokens=200,
                answer_tokens=110,
            ),
        ),
    ),
    Habit(
        "initech",
        chats=(
            Chat(
                users=3,
                service_tier="flex",
                think_s=10.0,
                turns=3,
                system_tokens=400,
                question_tokens=900,
                answer_tokens=60,
            ),
        ),
        # A loop gone wrong: more than its 60 requests a minute, so some meet a 429.
        bursts=(
            Burst(
                first_after_s=22.0,
                every_s=60.0,
                requests=80,
                over_s=5.0,
                service_tier=None,
                prompt_tokens=150,
                shared_tokens=100,
                answer_tokens=12,
            ),
        ),
    ),
    Habit(
        "umbrella",
        chats=(
            Chat(
                users=2,
                service_tier=None,
                think_s=12.0,
                turns=3,
                system_tokens=300,
                question_tokens=150,
                answer_tokens=60,
            ),
        ),
        # The storm: a second of prefill for the whole fleet, asked for at once. It waits; others do not.
        bursts=(
            Burst(
                first_after_s=8.0,
                every_s=45.0,
                requests=48,
                over_s=0.8,
                service_tier="flex",
                prompt_tokens=7_000,
                shared_tokens=300,
                answer_tokens=30,
            ),
        ),
    ),
)
"""Tenants of the quickstart policy. A tenant without an entry here is given ``NEWCOMER``'s day."""

NEWCOMER = Habit(
    "",
    chats=(
        Chat(
            users=1,
            service_tier=None,
            think_s=10.0,
            turns=3,
            system_tokens=300,
            question_tokens=150,
            answer_tokens=60,
        ),
    ),
)
