"""The values that pass between a data path (real or simulated) and the scheduling rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from coordination.program.records import Micros
from coordination.scheduling.traits import NO_TRAITS, Run, Task, Traits

Code = Literal[
    "rate_limit_exceeded",
    "capacity_exceeded",
    "deadline_unmeetable",
    "tier_not_entitled",
    "unknown_tier",
    "reservation_shortfall",
    "reservation_exceeded",
    "model_not_found",
    "no_route",
    "context_length_exceeded",
    "concurrency_exceeded",
    "spend_exceeded",
    "run_budget_exceeded",
    "run_loop_suspected",
    "upstream_failed",
    "upstream_timeout",
]
"""Why a request was refused: the ``code`` of the OpenAI-shaped error the client sees."""

Lane = Literal["used", "spilled", "none"]
"""What the reservation did for the request: the ``x-headway-reservation`` header."""


class Request:
    """One request, classified, as the rules see it. Names, never indices: it outlives a program."""

    __slots__ = (
        "adapter",
        "arrived",
        "blocks",
        "deadline",
        "longest_prompt",
        "max_tokens",
        "model",
        "prompt_tokens",
        "request_id",
        "run",
        "scale",
        "size",
        "stickiness",
        "streamed",
        "task",
        "tenant",
        "tier",
        "traits",
    )

    def __init__(
        self,
        request_id: str,
        tenant: str,
        model: str,
        tier: str,
        scale: bool,
        prompt_tokens: int,
        max_tokens: int | None,
        blocks: Sequence[int],
        arrived: Micros,
        stickiness: str,
        deadline: Micros | None = None,
        size: int = 0,
        run: Run | None = None,
        task: Task | None = None,
        adapter: str = "",
        longest_prompt: int = 0,
        traits: Traits = NO_TRAITS,
        streamed: bool = True,
    ) -> None:
        self.request_id = request_id
        self.tenant = tenant
        """Full path of the tenant the key belongs to."""
        self.model = model
        """Name of the Model document (not the client's alias)."""
        self.tier = tier
        """Name of the Tier asked for (entitlement already checked by ``classify``)."""
        self.scale = scale
        """``service_tier: scale``: the client asked for the reservation lane and nothing else."""
        self.prompt_tokens = prompt_tokens
        """The gateway's estimate."""
        self.max_tokens = max_tokens
        self.blocks = blocks
        """Chained 64-bit hashes of the prompt's 512-byte blocks, salted (04, Classify)."""
        self.arrived = arrived
        self.stickiness = stickiness
        """Run, else session, else request id: what R4 hashes and R20 sticks to."""
        self.deadline = deadline
        """Absolute policy-clock instant by which it is to be over: it waits no longer."""
        self.size = size
        """Bytes the gateway keeps while it waits (R18)."""
        self.run = run
        """For ``las`` order, set at admission; None outside a run."""
        self.task = task
        """Given only where the policy counts runs or sessions."""
        self.adapter = adapter
        """Name of the adapter it is for."""
        self.longest_prompt = longest_prompt
        """Tokens of the longest of several prompts: each must fit into the context. 0: there is one."""
        self.traits = traits
        self.streamed = streamed
        """Its first token can be told from its last."""


class Classified:
    """What a client's words mean under the policy."""

    __slots__ = ("adapter", "model", "scale", "tier", "tier_requested")

    def __init__(self, model: str, tier: str, scale: bool, tier_requested: str, adapter: str = "") -> None:
        self.model = model
        """Name of the Model document."""
        self.tier = tier
        """Name of the Tier document."""
        self.scale = scale
        self.tier_requested = tier_requested
        """What the client said, or the default tier's first ``service_tier`` name."""
        self.adapter = adapter
        """The adapter of the model that was asked for by its name."""


class Refusal:
    """A request that does not even reach admission."""

    __slots__ = ("code", "message")

    def __init__(self, code: Code, message: str) -> None:
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Hold:
    """What admission set aside (R6), in tokens. Classes are disjoint."""

    uncached_input: int
    cached_input: int
    output: int

    @property
    def total(self) -> int:
        return self.uncached_input + self.cached_input + self.output


class LimitView:
    """The tightest limit of a dimension, as a client is told of it."""

    __slots__ = ("limit", "remaining", "reset_us", "window_us")

    def __init__(self, limit: int, remaining: int, reset_us: Micros, window_us: Micros) -> None:
        self.limit = limit
        self.remaining = remaining
        self.reset_us = reset_us
        self.window_us = window_us
        """The period of the limit."""


class Headroom:
    """For the ``x-ratelimit-*`` and ``ratelimit`` headers; ``None`` where nothing limits."""

    __slots__ = ("requests", "tokens")

    def __init__(self, requests: LimitView | None, tokens: LimitView | None) -> None:
        self.requests = requests
        self.tokens = tokens


@dataclass(slots=True)
class Step:
    """One line of the reasoning: the rule, what it said, and the numbers it said it from."""

    rule: str
    says: str
    facts: dict[str, Any] = field(default_factory=dict)


class Usage:
    """What the engine reported (or the gateway counted), in tokens. Classes are disjoint."""

    __slots__ = ("cache_write", "cached_input", "output", "reasoning", "uncached_input")

    def __init__(
        self, uncached_input: int, cached_input: int, output: int, cache_write: int = 0, reasoning: int = 0
    ) -> None:
        self.uncached_input = uncached_input
        self.cached_input = cached_input
        self.output = output
        self.cache_write = cache_write
        """Computed, and kept in the engine's cache at a price of its own."""
        self.reasoning = reasoning
        """Generated out of sight."""

    @property
    def computed(self) -> int:
        """Prompt tokens the engine worked on."""
        return self.uncached_input + self.cache_write

    @property
    def generated(self) -> int:
        return self.output + self.reasoning

    def counts(self) -> tuple[int, int, int, int, int]:
        """Of each class, in the order they are given."""
        return (self.uncached_input, self.cached_input, self.output, self.cache_write, self.reasoning)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Usage) and self.counts() == other.counts()

    def __hash__(self) -> int:
        return hash(self.counts())

    def __repr__(self) -> str:
        return f"Usage{self.counts()}"


class Charge:
    """What one settled attempt cost, in the four currencies of R5 (never mixed)."""

    __slots__ = (
        "attempt",
        "fairness_cost",
        "hold_error",
        "request_id",
        "reservation",
        "spend_nano",
        "tier",
        "usage",
    )

    def __init__(
        self,
        request_id: str,
        attempt: int,
        usage: Usage,
        fairness_cost: int,
        reservation: str | None,
        spend_nano: int,
        tier: str,
        hold_error: int,
    ) -> None:
        self.request_id = request_id
        self.attempt = attempt
        self.usage = usage
        self.fairness_cost = fairness_cost
        """Millionths of an uncached input token."""
        self.reservation = reservation
        self.spend_nano = spend_nano
        self.tier = tier
        """Tier served: what it is billed as."""
        self.hold_error = hold_error
        """Actual minus held total tokens."""


@dataclass(slots=True)
class ReplicaReport:
    """An engine's own view, scraped (R19). ``None`` is unknown, never zero."""

    at: Micros
    waiting: int | None = None
    running: int | None = None
    kv_used_ppm: int | None = None
    kv_capacity: int | None = None
    """Tokens."""
    adapters: frozenset[str] = frozenset()
    """Those in use there at this moment."""
    loaded: frozenset[str] = frozenset()
    """Those it lists as ready to be used."""
