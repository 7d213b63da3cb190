"""What does a small trace of our own look like? Conversations that grow turn by turn, from one seed.

``python -m simfleet.traces.generate --seed 7 --requests 120 > trace.jsonl`` writes the Mooncake
format. Every conversation opens with one of a few system prompts; each turn repeats the whole history
and adds to it, so the hash ids show the sharing a chat product has.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from coordination.traces.records import BLOCK_TOKENS


@dataclass(slots=True)
class _Conversation:
    blocks: list[int]
    """Ids of the whole blocks of history so far, prompt and answers."""
    tokens: int
    turns_left: int


@dataclass(frozen=True, slots=True)
class TraceShape:
    """What the generated traffic looks like. Means are of exponential draws."""

    requests: int = 120
    conversations_per_second: float = 0.5
    turns_mean: float = 4.0
    think_seconds_mean: float = 8.0
    prompt_tokens_mean: int = 600
    output_tokens_mean: int = 120
    system_prompts: int = 3
    system_blocks: int = 1


def generate(shape: TraceShape, seed: int) -> Iterator[dict[str, object]]:
    """Yields ``shape.requests`` records in order of arrival; the same for the same arguments."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible workload, not a secret
    ids = itertools.count()
    systems = [[next(ids) for _ in range(shape.system_blocks)] for _ in range(shape.system_prompts)]
    order = itertools.count()
    turns: list[tuple[float, int, _Conversation]] = []
    opening = 0.0
    for _ in range(shape.requests):
        # Open conversations until the next turn due is one of those already open.
        while not turns or opening <= turns[0][0]:
            system = draw.choice(systems)
            left = 1 + int(draw.expovariate(1 / max(shape.turns_mean - 1, 0.01)))
            talk = _Conversation(list(system), len(system) * BLOCK_TOKENS, left)
            heapq.heappush(turns, (opening, next(order), talk))
            opening += draw.expovariate(shape.conversations_per_second)
        due, _, talk = heapq.heappop(turns)
        # A first turn fills its second block, so that the block stays the conversation's own sign.
        least = BLOCK_TOKENS if len(talk.blocks) == shape.system_blocks else 16
        asked = least + int(draw.expovariate(1 / shape.prompt_tokens_mean))
        answered = 8 + int(draw.expovariate(1 / shape.output_tokens_mean))
        yield _turn(due, talk, asked, answered, ids)
        talk.turns_left -= 1
        if talk.turns_left:
            heapq.heappush(
                turns, (due + 1 + draw.expovariate(1 / shape.think_seconds_mean), next(order), talk)
            )


def _turn(
    due: float, talk: _Conversation, asked: int, answered: int, ids: Iterator[int]
) -> dict[str, object]:
    talk.tokens += asked
    while len(talk.blocks) < talk.tokens // BLOCK_TOKENS:
        talk.blocks.append(next(ids))
    # A partial block is a block of its own: the next turn fills it and so changes its content.
    partial = [next(ids)] if talk.tokens % BLOCK_TOKENS else []
    record: dict[str, object] = {
        "timestamp": int(due * 1000),
        "input_length": talk.tokens,
        "output_length": answered,
        "hash_ids": [*talk.blocks, *partial],
    }
    talk.tokens += answered
    return record


def main() -> None:
    """Writes a trace to standard output."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--requests", type=int, default=TraceShape().requests)
    chosen = options.parse_args()
    encode = msgspec.json.Encoder().encode
    for record in generate(TraceShape(requests=chosen.requests), chosen.seed):
        sys.stdout.write(encode(record).decode() + "\n")


if __name__ == "__main__":
    main()
