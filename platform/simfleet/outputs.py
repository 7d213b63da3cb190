"""What does a simulated model say? Words drawn from the prompt's hash and the seed: same in, same out.

Every word is one token (see ``tokens``) and plain ASCII, so any range of an answer is rendered without
keeping its text, and a stream nobody reads costs the fleet two integers.
"""

from __future__ import annotations

import hashlib
import math

_TEXT = b"""
the of and to in is that for it as was with be by on not he this are or his from at which but have an had
they you were their one all we can her has there been if more when will would who so no out up into them
then she some its could time these two may first any now such like our over man me even most made after
also did many before must through back years where much your way well down should because each just those
people how too little state good very make world still see own men work long here get both between life
being under never day same another know year while last might us great old off come since go against came
right used take three
"""
_WORDS = tuple(word + b" " for word in _TEXT.split())
_MEDIAN_LENGTH = 180
_LENGTH_SPREAD = 0.9
_MAX_NATURAL = 2048


def draw(prompt: bytes, seed: int, tokens: int) -> bytes:
    """One byte for each output token; ``render`` turns any slice of it into text."""
    return hashlib.shake_128(b"%d:" % seed + hashlib.blake2b(prompt, digest_size=16).digest()).digest(tokens)


def render(drawn: bytes) -> bytes:
    """The text of a slice of a draw."""
    words, size = _WORDS, len(_WORDS)
    return b"".join([words[byte % size] for byte in drawn])


def natural_length(prompt: bytes, seed: int) -> int:
    """Tokens after which the model would stop by itself: log-normal over prompts, fixed for each."""
    digest = hashlib.blake2b(prompt, digest_size=16, salt=(seed & (2**64 - 1)).to_bytes(8, "big")).digest()
    one = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
    two = int.from_bytes(digest[8:], "big") / 2**64
    normal = math.sqrt(-2 * math.log(one)) * math.cos(2 * math.pi * two)  # Box-Muller
    return max(1, min(_MAX_NATURAL, round(_MEDIAN_LENGTH * math.exp(_LENGTH_SPREAD * normal))))
