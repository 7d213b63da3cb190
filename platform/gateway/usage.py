"""How many tokens did the engine say it worked on? Read from its JSON, of which nothing else is built."""

from __future__ import annotations

from typing import Annotated

import msgspec

from coordination.scheduling.values import Usage

Tokens = Annotated[int, msgspec.Meta(ge=0)]


class _Details(msgspec.Struct):
    cached_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Tokens
    completion_tokens: Tokens = 0
    prompt_tokens_details: _Details | None = None
    """Cached tokens are part of ``prompt_tokens``."""


class _Reported(msgspec.Struct):
    usage: _Usage | None = None
    choices: list[msgspec.Raw] | None = None


_decode = msgspec.json.Decoder(_Reported).decode


def read_usage(answer: bytes) -> tuple[Usage | None, bool]:
    """The usage in a completion or a chunk of one, and whether its ``choices`` are an empty list.

    ``(None, False)`` for what is not such an object: whatever an engine sends, nothing is raised.
    """
    try:
        found = _decode(answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, False
    usage = found.usage
    if usage is None:
        return None, found.choices == []
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    cached = min(cached, usage.prompt_tokens)
    return Usage(usage.prompt_tokens - cached, cached, usage.completion_tokens), found.choices == []
