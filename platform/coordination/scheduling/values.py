"""The values that pass between a data path (real or simulated) and the scheduling rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from coordination.program.records import Micros

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


class Run(msgspec.Struct, frozen=True, gc=False):
    """Where the run stands that a request is a step of, as it arrives (R17)."""

    name: str
    """Unique within its tenant."""
    step: int
    """1 for the first."""
    attained: int
    """What the run has been served so far: fairness cost, in uncached input tokens."""


class Task(msgspec.Struct, frozen=True, gc=False):
    """What a client says its request belongs to; empty names where it says nothing."""

    run: str = ""
    """Of an agent, unique within its tenant (``x-run-id``)."""
    session: str = ""
    step: int = 0
    """Of the run, as the client counts (``x-run-step``); 0: we count."""
    call: int = 0
    """Digest of the last tool call in its messages, arguments and all; 0: there is none."""


class Traits(msgspec.Struct, frozen=True):
    """What routes may ask for beside tenant, tier, model and length."""

    region: str = ""
    """Of the gateway it came to."""
    session: bool = False
    """It names a session."""
    headers: dict[str, str] = {}
    """Of those that some route looks at, the ones it has; names in small letters."""


NO_TRAITS = Traits()


class Request(msgspec.Struct):
    """One request, classified, as the rules see it. Names, never indices: it outlives a program."""

    request_id: str
    tenant: str
    """Full path of the tenant the key belongs to."""
    model: str
    """Name of the Model document (not the client's alias)."""
    tier: str
    """Name of the Tier asked for (entitlement already checked by ``classify``)."""
    scale: bool
    """``service_tier: scale``: the client asked for the reservation lane and nothing else."""
    prompt_tokens: int
    """The gateway's estimate."""
    max_tokens: int | None
    blocks: Sequence[int]
    """Chained 64-bit hashes of the prompt's 512-byte blocks, salted (04, Classify)."""
    arrived: Micros
    stickiness: str
    """Run, else session, else request id: what R4 hashes and R20 sticks to."""
    deadline: Micros | None = None
    """Absolute policy-clock instant by which it is to be over: it waits no longer."""
    size: int = 0
    """Bytes the gateway keeps while it waits (R18)."""
    run: Run | None = None
    """For ``las`` order, set at admission; None outside a run."""
    task: Task | None = None
    """Given only where the policy counts runs or sessions."""
    adapter: str = ""
    """Name of the adapter it is for."""
    longest_prompt: int = 0
    """Tokens of the longest of several prompts: each must fit into the context. 0: there is one."""
    traits: Traits = NO_TRAITS
    streamed: bool = True
    """Its first token can be told from its last."""


class Classified(msgspec.Struct, frozen=True, gc=False):
    """What a client's words mean under the policy."""

    model: str
    """Name of the Model document."""
    tier: str
    """Name of the Tier document."""
    scale: bool
    tier_requested: str
    adapter: str = ""
    """The adapter of the model that was asked for by its name."""
    """What the client said, or the default tier's first ``service_tier`` name."""


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A request that does not even reach admission."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Hold:
    """What admission set aside (R6), in tokens. Classes are disjoint."""

    uncached_input: int
    cached_input: int
    output: int

    @property
    def total(self) -> int:
        return self.uncached_input + self.cached_input + self.output


class LimitView(msgspec.Struct, frozen=True, gc=False):
    """The tightest limit of a dimension, as a client is told of it."""

    limit: int
    remaining: int
    reset_us: Micros
    window_us: Micros
    """The period of the limit."""


class Headroom(msgspec.Struct, frozen=True):
    """For the ``x-ratelimit-*`` and ``ratelimit`` headers; ``None`` where nothing limits."""

    requests: LimitView | None
    tokens: LimitView | None


@dataclass(slots=True)
class Step:
    """One line of the reasoning: the rule, what it said, and the numbers it said it from."""

    rule: str
    says: str
    facts: dict[str, Any] = field(default_factory=dict)


class Usage(msgspec.Struct, gc=False):
    """What the engine reported (or the gateway counted), in tokens. Classes are disjoint."""

    uncached_input: int
    cached_input: int
    output: int
    cache_write: int = 0
    """Computed, and kept in the engine's cache at a price of its own."""
    reasoning: int = 0
    """Generated out of sight."""

    @property
    def computed(self) -> int:
        """Prompt tokens the engine worked on."""
        return self.uncached_input + self.cache_write

    @property
    def generated(self) -> int:
        return self.output + self.reasoning


class Charge(msgspec.Struct, gc=False):
    """What one settled attempt cost, in the four currencies of R5 (never mixed)."""

    request_id: str
    attempt: int
    usage: Usage
    fairness_cost: int
    """Millionths of an uncached input token."""
    reservation: str | None
    spend_nano: int
    tier: str
    """Tier served: what it is billed as."""
    hold_error: int
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
