"""How many tokens did the engine say it worked on? Read from its JSON, of which nothing else is built."""

from __future__ import annotations

from typing import Final

import msgspec

from coordination.scheduling.values import Usage
from gateway.usage_shapes import (
    InputDetails,
    OutputDetails,
    decode_choices,
    decode_reported,
    decode_timings,
)

SLACK: Final = 2
"""How much more than its context window an engine may have, and fewer tokens than events it may report."""


def is_possible(usage: Usage, seen: int, window: int) -> bool:
    """Whether an engine can have done what it says.

    ``seen``: events with text that passed, each at least about a token. ``window``: tokens that prompts
    and answers of the request may have together.
    """
    generated = usage.output + usage.reasoning
    total = usage.uncached_input + usage.cached_input + usage.cache_write + generated
    return total <= SLACK * window and SLACK * generated >= seen


def usage_of(prompt: int, generated: int, read: InputDetails | None, made: OutputDetails | None) -> Usage:
    """The five classes, disjoint. Parts larger than their whole are cut to it."""
    cached = written = reasoning = 0
    if read is not None:
        cached = min(read.cached_tokens or 0, prompt)
        written = min(read.cache_write_tokens or read.cache_creation_tokens or 0, prompt - cached)
    if made is not None:
        reasoning = min(made.reasoning_tokens or 0, generated)
    return Usage(prompt - cached - written, cached, generated - reasoning, written, reasoning)


def read_usage(answer: bytes) -> tuple[Usage | None, bool]:
    """The usage in a completion or a chunk of one, and whether its ``choices`` are an empty list.

    No usage for what is not such an object: whatever an engine sends, nothing is raised.
    """
    try:
        found = decode_reported(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, _is_bare(answer)
    usage = found.usage
    if usage is None:
        return None, found.choices == []
    read, made = usage.prompt_tokens_details, usage.completion_tokens_details
    if made is None and usage.reasoning_tokens:
        made = OutputDetails(usage.reasoning_tokens)
    if read is None and found.timings:
        read = InputDetails(_cached(found.timings))
    return usage_of(usage.prompt_tokens, usage.completion_tokens, read, made), found.choices == []


def _cached(timings: msgspec.Raw) -> int:
    try:
        return decode_timings(timings).cache_n
    except msgspec.MsgspecError:
        return 0


def _is_bare(answer: bytes) -> bool:
    """Whether ``choices`` are an empty list, beside a usage that makes no sense."""
    try:
        return decode_choices(answer).choices == []
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
