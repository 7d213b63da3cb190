"""What are the lines of a decision's reasoning, and how does each read?

On the hot path a line is a tuple, ``(reason, *numbers)``; it becomes words only when somebody asks.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from coordination.scheduling.figures import figure
from coordination.scheduling.values import Step


class Reason(NamedTuple):
    """A kind of line: the rule it applies, its sentence, and the names of its numbers."""

    rule: str
    says: str
    names: tuple[str, ...]


TraceLine = tuple[Any, ...]
"""``(Reason, *values)``, the values in the order of ``Reason.names``."""


def render(line: TraceLine) -> Step:
    reason: Reason = line[0]
    facts = dict(zip(reason.names, line[1:], strict=True))
    read = {name: figure(name, value) for name, value in facts.items()}
    return Step(rule=reason.rule, says=reason.says.format(**read), facts=facts)


SEGMENT: Final = Reason("R1", "timeline segment pinned", ("start", "end"))
NO_ROUTE: Final = Reason("R4", "no route matches", ("tenant", "tier", "model", "prompt_tokens"))
ROUTE: Final = Reason("R4", "route {route}, pool {pool}", ("route", "pool", "point", "arms"))
GIVEN_UP_ERRORS: Final = Reason(
    "R4",
    "canary {canary} is given up ({errors_ppm} of its requests failed, of others {others_ppm}): "
    "pool {pool} instead",
    ("canary", "errors_ppm", "others_ppm", "pool"),
)
GIVEN_UP_TIME: Final = Reason(
    "R4",
    "canary {canary} is given up (first token after {ttft_us}, of others {others_us}): pool {pool} instead",
    ("canary", "ttft_us", "others_us", "pool"),
)
LANE_POOL: Final = Reason("R4", "route {route}, pool {pool}: where the reservation is", ("route", "pool"))
CONTEXT: Final = Reason(
    "R4", "prompt of {prompt_tokens} tokens exceeds {context_window}", ("prompt_tokens", "context_window")
)
ESTIMATE: Final = Reason(
    "R6",
    "hold {uncached} uncached + {cached} cached input and {output} output tokens",
    ("uncached", "cached", "output", "output_p80", "max_tokens", "cost"),
)
CONCURRENCY: Final = Reason(
    "R7", "concurrency of quota {quota}: {used} of {limit} in use", ("quota", "used", "limit")
)
SPEND: Final = Reason(
    "R7",
    "spend of quota {quota} per {per}: {remaining} left, {hold} needed",
    ("quota", "per", "remaining", "hold"),
)
SHORTFALL: Final = Reason(
    "R8",
    "reservation {reservation}: conforming, but lost capacity leaves {left_ppm}; overflow {overflow}",
    ("reservation", "left_ppm", "wait_us", "overflow"),
)
RUN: Final = Reason(
    "R7",
    "{kind} under quota {quota}: {used} of {limit} {of} used",
    ("kind", "quota", "of", "used", "limit", "hold"),
)
LOOP: Final = Reason(
    "R7",
    "{kind} under quota {quota}: the same last call {repeats} times in a row",
    ("kind", "quota", "repeats"),
)
SLOWED: Final = Reason("R7", "its run seems to go in a circle: waits {wait_us}", ("wait_us",))
NO_LANE: Final = Reason("R8", "no reservation in force for this tenant, tier and pool", ("pool",))
LANE: Final = Reason(
    "R8",
    "reservation {reservation}: conforming, goes by the lane",
    ("reservation", "input_left", "output_left"),
)
PROMISED: Final = Reason(
    "R8",
    "reservation {reservation}: within what it promises, first byte in {objective_us}",
    ("reservation", "objective_us", "slack_us"),
)
LANE_FULL: Final = Reason(
    "R8",
    "reservation {reservation}: over its rate by {wait_us}, overflow {overflow}",
    ("reservation", "wait_us", "overflow"),
)
LANE_LATER: Final = Reason(
    "R8", "reservation {reservation}: conforms in {wait_us}, waits in the lane", ("reservation", "wait_us")
)
RESERVED_ONLY: Final = Reason("R8", "pool {pool} serves only what is reserved", ("pool",))
LIMITS: Final = Reason("R9", "room in every limit on the path", ("meters", "remaining"))
LIMIT: Final = Reason(
    "R9",
    "quota {quota}: {of} per {per}: {remaining} of {limit} left, {hold} needed",
    ("quota", "of", "per", "limit", "remaining", "hold"),
)
SET_BY: Final = Reason(
    "R9",
    "quota {quota}: {of} per {per} is what the administrators of {giver} set",
    ("quota", "of", "per", "giver", "limit"),
)
GUARANTEED: Final = Reason(
    "R9",
    "within the part of quota {quota}: {of} per {per}",
    ("quota", "of", "per", "guaranteed", "pool", "remaining"),
)
BORROWED: Final = Reason(
    "R9",
    "borrows {of} per {per} of quota {quota}: the own part is used",
    ("quota", "of", "per", "guaranteed", "pool", "remaining"),
)
LENT_OUT: Final = Reason(
    "R9",
    "{of} per {per}: the own part is used, and of quota {quota} too little is left to borrow, {hold} needed",
    ("quota", "of", "per", "guaranteed", "pool", "remaining", "hold"),
)
SHADOW: Final = Reason(
    "R9",
    "quota {quota} in shadow: {of} per {per}: {remaining} of {limit} left, {hold} needed; it would refuse",
    ("quota", "of", "per", "limit", "remaining", "hold"),
)
RAMP: Final = Reason(
    "R10",
    "use of tier {tier} may be {limit} tokens a minute now: {remaining} left",
    ("tier", "limit", "remaining"),
)
RAMPED: Final = Reason(
    "R10",
    "use of tier {tier} may be {limit} tokens a minute now: {remaining} left, {hold} needed",
    ("tier", "limit", "remaining", "hold"),
)
WAIT: Final = Reason(
    "R11",
    "expected wait {wait_us} of at most {most_us}",
    ("wait_us", "most_us", "cost_ahead", "share_ppm", "capacity"),
)
UNHEALTHY_POOL: Final = Reason("R11", "pool {pool} has no healthy replica", ("pool",))
DRAINED: Final = Reason("R12", "pool {pool} takes nothing new: {why}", ("pool", "why"))
MOVED_ON: Final = Reason(
    "R12", "leaves pool {pool} after {queue_us}, to be let in anew: {why}", ("pool", "why", "queue_us")
)
SPILL: Final = Reason("R12", "spill to pool {pool}", ("pool",))
DOWNGRADE: Final = Reason("R12", "downgrade from {tier} to {to}", ("tier", "to"))
SPILL_LANE: Final = Reason("R12", "goes on as ordinary traffic", ())
QUEUED: Final = Reason(
    "R15", "waits in pool {pool}, band {band}, leaf {leaf}", ("pool", "band", "leaf", "waiting", "expires")
)
QUEUED_IN_LANE: Final = Reason(
    "R13", "waits in pool {pool}, lane, leaf {leaf}", ("pool", "leaf", "waiting", "expires")
)
CAPPED: Final = Reason(
    "R19",
    "stands aside: of the {of} that quota {quota} may occupy in pool {pool}, {used} of {limit} are taken",
    ("quota", "pool", "of", "used", "limit"),
)
TOO_MANY_BYTES: Final = Reason(
    "R7", "bytes of quota {quota}: {used} of {limit} kept, {size} needed", ("quota", "used", "limit", "size")
)
CAP_FULL: Final = Reason(
    "R18",
    "as many as may wait stand aside for the {of} of quota {quota} in pool {pool}",
    ("quota", "pool", "of"),
)
FULL: Final = Reason(
    "R18",
    "queue of pool {pool}, band {band} is full ({depth}); last of the heaviest leaf {leaf}",
    ("pool", "band", "depth", "leaf"),
)
NO_MEMORY: Final = Reason(
    "R18",
    "what waits for pool {pool} fills the memory for it; last of the heaviest leaf {leaf} in band {band}",
    ("pool", "band", "depth", "leaf"),
)
MOVED: Final = Reason(
    "R20",
    "taken from home {home}: {wait_us} there against {cost_us} here",
    ("home", "wait_us", "cost_us"),
)
OWED: Final = Reason(
    "R14",
    "band {band} is owed {owed} of its minimum share: goes before higher ones",
    ("band", "owed", "minimum_ppm"),
)
SENT: Final = Reason(
    "R15",
    "dispatched to {replica}, attempt {attempt}, after {queue_us}",
    ("replica", "attempt", "queue_us", "cost", "tag", "least_tag"),
)
FAILED: Final = Reason(
    "R22", "attempt {attempt} on {replica} failed: {reason}", ("attempt", "replica", "reason")
)
HEDGED: Final = Reason(
    "R22",
    "attempt {attempt} on {replica} beside attempt {slow}, which sent nothing for {silent_us}",
    ("attempt", "replica", "slow", "silent_us", "cost"),
)
NOT_HEDGED: Final = Reason(
    "R22",
    "attempt {slow} sent nothing for {silent_us}, no second one: {why}",
    ("slow", "silent_us", "why"),
)
LOST: Final = Reason(
    "R22",
    "attempt {attempt} on {replica} is over ({reason}), the one beside it goes on; {charged} charged",
    ("attempt", "replica", "reason", "charged"),
)
MIRRORED: Final = Reason("R4", "a copy goes to {replica} of pool {pool}", ("pool", "replica"))
NOT_MIRRORED: Final = Reason("R4", "no copy goes to pool {pool}: {why}", ("pool", "why"))
EXPIRED: Final = Reason("R11", "waited {queue_us}, as long as it may", ("queue_us",))
CANCELLED: Final = Reason("R6", "client left while waiting: full refund", ("queue_us",))
SETTLED: Final = Reason(
    "R22",
    "{outcome}: {uncached} uncached + {cached} cached input, {output} output tokens",
    ("outcome", "uncached", "cached", "output", "cost", "spend_nano", "hold_error"),
)
