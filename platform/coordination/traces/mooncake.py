"""How does one line of a Mooncake trace read?

``{"timestamp": ms, "input_length": tokens, "output_length": tokens, "hash_ids": [id per 512-token
block]}``, as published with the FAST'25 paper: equal ids are equal blocks after equal prefixes.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from coordination.traces.records import BLOCK_TOKENS, MAX_TOKENS, TraceError, TraceRequest, told

_Tokens = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
_Id = Annotated[int, msgspec.Meta(ge=0)]


class _Line(msgspec.Struct, frozen=True):
    # Further members are let through: later Mooncake releases add some.
    timestamp: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    input_length: _Tokens
    output_length: _Tokens
    hash_ids: tuple[_Id, ...]


_decoder = msgspec.json.Decoder(_Line)


def parse(file: str, number: int, text: str) -> TraceRequest:
    """The request of one line; ``TraceError`` with the place when it is damaged."""
    try:
        line = _decoder.decode(text)
    except msgspec.DecodeError as problem:
        raise TraceError(file, number, told(problem)) from problem
    expected = -(-line.input_length // BLOCK_TOKENS)
    if len(line.hash_ids) != expected:
        raise TraceError(
            file,
            number,
            f"{line.input_length} input tokens make {expected} blocks of {BLOCK_TOKENS}, "
            f"hash_ids has {len(line.hash_ids)}",
        )
    return TraceRequest(
        number,
        round(line.timestamp * 1000),
        line.input_length,
        line.output_length,
        line.hash_ids,
    )
