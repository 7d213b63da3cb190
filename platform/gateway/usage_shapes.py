"""What is looked at in an engine's answer to tell the tokens it worked on?

The decoders raise ``msgspec.MsgspecError`` or ``UnicodeDecodeError``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Tokens = Annotated[int, msgspec.Meta(ge=0)]


class InputDetails(msgspec.Struct):
    """Parts of the prompt's tokens."""

    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    """Computed and kept in a cache that charges for it; some engines say ``cache_creation_tokens``."""
    cache_creation_tokens: Tokens | None = None


class OutputDetails(msgspec.Struct):
    """Parts of the generated tokens."""

    reasoning_tokens: Tokens | None = None


class TokensUsed(msgspec.Struct):
    prompt_tokens: Tokens
    completion_tokens: Tokens = 0
    prompt_tokens_details: InputDetails | None = None
    """Cached tokens are part of ``prompt_tokens``."""
    completion_tokens_details: OutputDetails | None = None
    reasoning_tokens: Tokens | None = None
    """Of ``completion_tokens``; SGLang says it here."""


NO_TIMINGS = msgspec.Raw()


class Reported(msgspec.Struct):
    usage: TokensUsed | None = None
    choices: list[msgspec.Raw] | None = None
    timings: msgspec.Raw = NO_TIMINGS


class Timings(msgspec.Struct):
    """llama.cpp's, beside the usage."""

    cache_n: Tokens = 0
    """Prompt tokens that were found in the cache."""


class Choices(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None


decode_choices = msgspec.json.Decoder(Choices).decode
decode_reported = msgspec.json.Decoder(Reported).decode
decode_timings = msgspec.json.Decoder(Timings).decode
