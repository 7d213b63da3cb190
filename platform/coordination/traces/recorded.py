"""How does traffic that a gateway recorded read, and how is it written?

The first line says what the file is: ``{"headway": "recording/1", "longest_us": 600000000}``, the second
member being the longest any of its requests can have taken. Each further line is one request, written when
it ended, so that a request which took long stands after others that arrived later; ``longest_us`` bounds
how far back one may reach, and with it what a reader must hold. A prompt is not in it: the hash ids are of
salted 512-token prefixes, equal only where prompts were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Annotated, Final, TypeVar

import msgspec

from coordination.traces.records import BLOCK_TOKENS, MAX_TOKENS, Sender, TraceError, TraceRequest, told

T = TypeVar("T")
FORMAT: Final = "recording/1"
BLOCKS_PER_ID: Final = 4
"""Hash ids are of 512 tokens, the blocks that requests are placed by of 128."""
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Tokens = Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)]
_Instant = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class Opening(msgspec.Struct, frozen=True):
    """The first line."""

    headway: str
    longest_us: Annotated[int, msgspec.Meta(ge=1, le=86_400_000_000)]


class Recorded(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request that was answered or refused, as its client sent it."""

    at: _Instant
    """Arrival, microseconds since 1970."""
    ended: _Instant
    tenant: _Name
    model: _Name
    """As the client named it."""
    input_tokens: _Tokens
    output_tokens: _Tokens
    """Of a refused request, what it was expected to use."""
    tier: str | None = None
    """``service_tier`` as the client said it."""
    session: str | None = None
    max_tokens: int | None = None
    deadline: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)] | None = None
    """Its own, microseconds after its arrival (``x-headway-deadline-ms``)."""
    code: str | None = None
    """What it was refused with then."""
    hash_ids: tuple[int, ...] = ()
    """Of each whole 512-token prefix of the prompt."""
    replica: str | None = None
    """Which answered it in full; None, and so the next three, where none did."""
    sent: _Instant | None = None
    """To that replica."""
    first: _Instant | None = None
    """When its first token came; None too where the answer came in one piece."""
    cached: Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)] | None = None
    """Prompt tokens it did not have to compute."""


def opening(longest_us: int) -> bytes:
    return msgspec.json.encode(Opening(FORMAT, longest_us)) + b"\n"


def line(request: Recorded) -> bytes:
    return msgspec.json.encode(request) + b"\n"


def ids_of(blocks: Sequence[int]) -> tuple[int, ...]:
    """Hash ids of the chained block hashes a gateway places a request by."""
    return tuple(blocks[BLOCKS_PER_ID - 1 :: BLOCKS_PER_ID])


def is_opening(text: str) -> bool:
    """Whether a first line opens a recording of any version."""
    return text.startswith('{"headway":')


class Lines:
    """The lines of one recording after its first, each checked against those before it."""

    def __init__(self, file: str, number: int, text: str) -> None:
        """``text``: the first line. Raises ``TraceError``."""
        head = _decoded(file, number, text, _opening)
        if head.headway != FORMAT:
            raise TraceError(file, number, f"a {head.headway}; this version reads {FORMAT}")
        self.longest = head.longest_us
        self.latest = 0
        """When the newest of all lines ended: none that is to come arrived longer before it than that."""
        self._file = file

    def read(self, number: int, text: str) -> TraceRequest:
        """Raises ``TraceError``."""
        return _request(number, self.record(number, text))

    def record(self, number: int, text: str) -> Recorded:
        """Raises ``TraceError``."""
        file, longest = self._file, self.longest
        record = _decoded(file, number, text, _decoder)
        took = record.ended - record.at
        if not 0 <= took <= longest:
            raise TraceError(file, number, f"ended {took} us after it arrived, not 0 to {longest}")
        if record.at + longest < self.latest:
            late = (self.latest - record.at) / 1e6
            raise TraceError(file, number, f"out of order: arrived {late:.1f} s before another line ended")
        found = len(record.hash_ids)
        if found > record.input_tokens // BLOCK_TOKENS + 1:
            raise TraceError(file, number, f"{record.input_tokens} tokens do not make {found} hash ids")
        self.latest = max(self.latest, record.ended)
        return record


def requests(file: str, first: tuple[int, str], lines: Iterable[tuple[int, str]]) -> Iterator[TraceRequest]:
    """In order of arrival. Raises ``TraceError`` at the first bad line."""
    reader = Lines(file, *first)
    held: list[tuple[int, int, TraceRequest]] = []
    for number, text in lines:
        request = reader.read(number, text)
        heappush(held, (request.arrival_us, number, request))
        while held and held[0][0] + reader.longest < reader.latest:
            yield heappop(held)[2]
    while held:
        yield heappop(held)[2]


def _request(number: int, record: Recorded) -> TraceRequest:
    return TraceRequest(
        number,
        record.at,
        record.input_tokens,
        record.output_tokens,
        record.hash_ids,
        Sender(record.tenant, record.tier, record.model, record.session, record.max_tokens, record.deadline),
    )


def _decoded(file: str, number: int, text: str, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(text)
    except msgspec.DecodeError as problem:
        raise TraceError(file, number, told(problem)) from problem


_opening = msgspec.json.Decoder(Opening)
_decoder = msgspec.json.Decoder(Recorded)
