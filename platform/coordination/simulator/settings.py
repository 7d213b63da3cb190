"""What does a simulation depend on besides policy and arrivals, and whose are the conversations of a trace?

Plain values that are handed from process to process, which what is compiled (docs/adr/0110) could not be.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordination.capacity import Profile
from coordination.program.index import Program
from coordination.program.records import Micros


@dataclass(frozen=True, slots=True)
class Settings:
    """What a simulation depends on besides policy and arrivals."""

    seed: int = 1
    host_tokens: int = 0
    """Tokens of KV cache each replica's host memory tier holds."""
    start: Micros | None = None
    """Instant of the first arrival; by default the start of the policy's timeline."""
    profiles: tuple[tuple[str, Profile], ...] = ()
    """(pool, what its replicas are), where it is not the profile the policy names."""


@dataclass(frozen=True, slots=True)
class Client:
    """A part of the traffic."""

    tenant: str
    service_tier: str | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Mix:
    """To whom the conversations of a trace belong, by weight, and which model they ask for."""

    clients: tuple[Client, ...]
    model: str

    def __post_init__(self) -> None:
        if not any(client.weight > 0 for client in self.clients):
            raise ValueError("a mix needs a client of a weight above 0")


def even_mix(program: Program, model: str | None = None) -> Mix:
    """Every tenant alike, each in its default tier, asking for the first model the policy knows."""
    served = model or next(iter(program.models.values())).served_name
    return Mix(tuple(Client(name) for name in program.tenants), served)
