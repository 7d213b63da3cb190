"""What does a client say of a request beside its prompt? Looked at by some policies only."""

from __future__ import annotations

import msgspec


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
