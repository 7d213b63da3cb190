"""What is looked at in the response objects of ``/v1/responses``, and in the events that carry one?"""

from __future__ import annotations

import msgspec

from gateway.usage_shapes import InputDetails, OutputDetails, Tokens


class TokensUsed(msgspec.Struct):
    input_tokens: Tokens
    output_tokens: Tokens = 0
    input_tokens_details: InputDetails | None = None
    """Cached tokens are part of ``input_tokens``."""
    output_tokens_details: OutputDetails | None = None


class Response(msgspec.Struct):
    usage: TokensUsed | None = None


class Event(msgspec.Struct):
    type: str
    response: Response | None = None


decode_response = msgspec.json.Decoder(Response).decode
"""Raises ``msgspec.MsgspecError`` or ``UnicodeDecodeError``."""
decode_event = msgspec.json.Decoder(Event).decode
"""Raises what ``decode_response`` does."""
