"""What do requests say that hold plain prompts? Completions and embeddings: texts, or ids of tokens.

Several prompts may come in one request. Each of them must fit into the context; together they are what
is paid for.
"""

from __future__ import annotations

import re
from array import array
from typing import Any

from gateway.errors import Problem
from gateway.prompt import ModelRequest, Prompt, estimate_tokens, read_members, read_object, wrong
from gateway.sse import EventStream

MOST_PROMPTS = 2048
"""In one request, as with OpenAI."""
_WANTED = f"must be a text, ids of tokens, or an array of at most {MOST_PROMPTS} of them, none empty"
_IDS = "I"
"""Ids of tokens, as machine integers of four bytes."""
_LARGEST_ID = 2**32 - 1


def read_completion(body: bytes) -> ModelRequest | Problem:
    """A request to ``/v1/completions``."""
    data = read_object(body)
    if isinstance(data, Problem):
        return data
    prompts = _count(data.get("prompt"))
    if not prompts:
        return wrong(
            "prompt", f"must be a text, ids of tokens, or an array of at most {MOST_PROMPTS} of them"
        )
    return read_members(data, "max_tokens", prompts=prompts)


def read_embedding(body: bytes) -> ModelRequest | Problem:
    """A request to ``/v1/embeddings``: it has no output, and nothing to stream."""
    data = read_object(body)
    if isinstance(data, Problem):
        return data
    prompts = _count(data.get("input"))
    if not prompts:
        return wrong("input", _WANTED)
    if data.get("stream"):
        return wrong("stream", "is not offered for embeddings")
    return read_members(data, prompts=prompts)


class TextEvents(EventStream):
    """The editor of one streamed completion."""

    begins = b'"text":"'
    text = re.compile(rb'"text"\s{0,4}:\s{0,4}"[^"]')
    __slots__ = ()


def completion_prompt(body: dict[str, Any]) -> Prompt:
    """Of a completion request's body."""
    return _measure(body["prompt"])


def embedding_prompt(body: dict[str, Any]) -> Prompt:
    """Of an embedding request's body."""
    return _measure(body["input"])


def _count(given: object) -> int:
    """How many prompts are given; 0 for what is none."""
    if _is_prompt(given):
        return 1
    several = isinstance(given, list) and len(given) <= MOST_PROMPTS and all(map(_is_prompt, given))
    return len(given) if several and isinstance(given, list) else 0


def _is_prompt(given: object) -> bool:
    """A text, or ids of tokens; not an empty one."""
    if isinstance(given, list):
        return bool(given) and all(type(one) is int and 0 <= one <= _LARGEST_ID for one in given)
    return isinstance(given, str) and bool(given)


def _measure(given: Any) -> Prompt:
    """``given`` has been counted."""
    several = isinstance(given, list) and not isinstance(given[0], int)
    measured = [_measured(one) for one in (given if several else (given,))]
    tokens = [count for _, count in measured]
    return Prompt(b"\n".join([text for text, _ in measured]), sum(tokens), max(tokens))


def _measured(one: str | list[int]) -> tuple[bytes, int]:
    """Bytes to hash, and how many tokens they are; of ids that is known."""
    if isinstance(one, str):
        text = one.encode()
        return text, estimate_tokens(one, text, 0)
    return array(_IDS, one).tobytes(), len(one)
