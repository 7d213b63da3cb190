"""How many tokens is a prompt, and which KV blocks does it fill?

The fleet's own tokeniser: words of up to seven letters and punctuation carry the one space after
them, longer words are cut, numbers go by three digits, other bytes by three: about 4.4 bytes a token in
English. It is deterministic, splits a 48 KB prompt in about a millisecond, and is deliberately not the
gateway's estimate, so that settling an estimate against an engine's usage is really exercised.

Blocks follow vLLM: ``BLOCK_TOKENS`` tokens each, named by a hash of their bytes chained to the block
before, so equal names mean equal prefixes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import xxhash

BLOCK_TOKENS = 16

_TOKEN = (
    rb"<\|[a-z]+\|>"  # the chat template's own marks
    rb"|[A-Za-z]{1,7}+ ?"
    rb"|[0-9]{1,3}+ ?"
    rb"|[\x80-\xff]{1,3}+"
    rb"|[ \t\r\n]{1,8}+"
    rb"|[^A-Za-z0-9 \t\r\n\x80-\xff<]{1,2}+ ?"
    rb"|<"  # alone, so that a mark is found wherever it stands
)
# Possessive all through: a token is never given back, so matching is linear in the text.
_TOKENS = re.compile(_TOKEN)
_BLOCK = re.compile(rb"(?>%s){1,%d}+" % (_TOKEN, BLOCK_TOKENS))


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text, tokenised."""

    count: int
    blocks: tuple[int, ...]
    """Chained hashes of the full blocks; a last partial block has none."""


def count(text: bytes) -> int:
    """Tokens in a text."""
    return len(_TOKENS.findall(text))


def split(text: bytes) -> list[bytes]:
    """The tokens themselves; joined they are the text."""
    return _TOKENS.findall(text)


def tokenize(text: bytes) -> Tokens:
    """Count the tokens of a text and name its full blocks."""
    spans: list[bytes] = _BLOCK.findall(text)
    if not spans:
        return Tokens(0, ())
    last = count(spans[-1])
    full = spans if last == BLOCK_TOKENS else spans[:-1]
    names = []
    name = 0
    for span in full:
        name = xxhash.xxh3_64_intdigest(span, name)
        names.append(name)
    return Tokens((len(spans) - 1) * BLOCK_TOKENS + last, tuple(names))
