"""Which models does a server list, and which of them are adapters of another?

``GET /v1/models`` of the OpenAI API. vLLM and SGLang list loaded adapters beside the model, with the model
they sit on as ``parent``; others list models only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

LISTING_LIMIT: Final = 1024 * 1024
MOST_LISTED: Final = 4096
NAME_LIMIT: Final = 300


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server says it can be asked for."""

    models: frozenset[str]
    """All names, those of adapters too."""
    adapters: frozenset[str]


class _Entry(msgspec.Struct):
    id: str
    parent: str | None = None


class _Models(msgspec.Struct):
    data: list[_Entry]


_decode = msgspec.json.Decoder(_Models).decode


def read_listing(body: bytes) -> Listing | None:
    """``None`` for what is no such list; never raises."""
    if len(body) > LISTING_LIMIT:
        return None
    try:
        listed = _decode(body).data
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if len(listed) > MOST_LISTED or any(len(one.id) > NAME_LIMIT for one in listed):
        return None
    return Listing(
        frozenset(one.id for one in listed),
        frozenset(one.id for one in listed if one.parent and one.parent != one.id),
    )
