"""What is one request of a trace, whatever file format it came from?"""

from __future__ import annotations

from typing import Final

import msgspec

BLOCK_TOKENS: Final = 512
"""Tokens a hash id of the Mooncake traces stands for."""

MAX_TOKENS: Final = 4_194_304
"""Longest prompt or answer a record may ask for: beyond it the record is taken for damaged."""

MAX_LINE_BYTES: Final = 1_048_576
"""Longest line a reader takes in: 4 Mi tokens are 8,192 hash ids of at most twenty digits."""


class Sender(msgspec.Struct, frozen=True):
    """Who sent a request, where a trace tells."""

    tenant: str
    service_tier: str | None
    """None: the client named none."""
    model: str
    """As the client named it."""
    session: str | None
    max_tokens: int | None
    deadline_us: int | None = None
    """Of its own, after its arrival; None: it named none."""


class TraceRequest(msgspec.Struct, frozen=True):
    """One arrival: when, how long a prompt, how long an answer, which prefix it shares."""

    line: int
    """1-based line of the file it was read from: its identity in the trace."""
    arrival_us: int
    """Microseconds after the first arrival of the trace."""
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...]
    """Hash ids of the prompt's 512-token blocks, the last perhaps partial. Empty: the trace does not
    say what its prompts shared, so they share nothing."""
    sender: Sender | None = None
    """Only recordings of our own tell."""


class TraceError(Exception):
    """A trace that cannot be read on: the place, and what is wrong there."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
        self.file = file
        self.line = line
        self.message = message


_WORDS: Final = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "array": "a list",
    "object": "an object",
}


def told(problem: msgspec.DecodeError) -> str:
    """What is wrong with a line of JSON, for whoever wrote the file: the field first, and no type's name."""
    if not isinstance(problem, msgspec.ValidationError):
        return f"not JSON: {_lowered(str(problem).removeprefix('JSON is malformed: '))}"
    says, _, at = str(problem).partition(" - at `$")
    for name, words in _WORDS.items():
        says = says.replace(f"`{name}`", words)
    at = at.rstrip("`").lstrip(".")
    return f"{at}: {_lowered(says)}" if at else _lowered(says)


def _lowered(says: str) -> str:
    return says[:1].lower() + says[1:]
