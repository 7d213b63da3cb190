"""Does a head that was seen before mean exactly what the parser would say, and nothing beside it pass?"""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.downstream.connection import ClientConnection
from gateway.downstream.heads import LONGEST, MOST, RequestHead, RequestHeads
from gateway.downstream.listener import Listener
from gateway.downstream.request import HttpRequest, Limits
from gateway.errors import Problem
from gateway.heads import KnownHead, cut
from gateway.upstream.answers import KnownAnswers

FIELDS = b"Host: a\r\nAuthorization: Bearer k\r\n"


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int) -> None: ...
    def resume_reading(self) -> None: ...
    def pause_reading(self) -> None: ...
    def write_eof(self) -> None: ...

    def can_write_eof(self) -> bool:
        return True

    def is_reading(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


class Echo:
    """Answers with everything a request says of itself; a path that ends in ``deny`` is vetted away."""

    known = 0
    """Requests whose heads were not parsed."""

    def vet(self, request: HttpRequest) -> Problem | None:
        self.known += request.head is not None
        path = request.path.partition(b"?")[0]
        request.path = path  # as the data plane does
        return Problem("invalid_api_key", "no") if path.endswith(b"deny") else None

    def serve(self, request: HttpRequest, connection: ClientConnection):
        if request.problem is not None:
            connection.respond(request.problem.status, b"", request.problem.body())
            return
        headers = sorted(item for item in request.headers.items() if item[0] != b"content-length")
        said = f"{request.method} {request.path!r} {headers} {request.body!r}"
        connection.respond(200, b"", said.encode())


def answers(reads: list[bytes], *, keep_heads: bool) -> tuple[bytes, bool, int]:
    """What a connection writes, whether it closes, and how many reads were not parsed."""

    async def run() -> tuple[bytes, bool, int]:
        service = Echo()
        listener = Listener(service, Limits(body=64))
        connection = ClientConnection(listener)
        transport = Transport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        for read in reads:
            if not keep_heads:
                listener.heads = RequestHeads()
            connection.get_buffer(-1)[: len(read)] = read
            connection.buffer_updated(len(read))
        connection.connection_lost(None)
        return transport.written, transport.closed, service.known

    return asyncio.run(run())


def request(body: bytes = b"", path: bytes = b"/p?q=1", fields: bytes = FIELDS, length: bytes = b"") -> bytes:
    length = length or b"%d" % len(body)
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %b\r\n\r\n%b" % (path, fields, length, body)


def same_either_way(reads: list[bytes]) -> tuple[bytes, bool]:
    with_heads, closed, _ = answers(reads, keep_heads=True)
    parsed, parsed_closed, known = answers(reads, keep_heads=False)
    assert not known
    assert with_heads == parsed
    assert closed == parsed_closed
    return with_heads, closed


def test_a_repeated_head_is_not_parsed_and_says_the_same():
    reads = [request(b"one"), request(b"the second"), request(b""), request(b"x" * 64)]
    written, closed = same_either_way(reads)
    assert [written.count(body) for body in (b"'one'", b"'the second'", b"b''", b"x" * 64)] == [1, 1, 1, 1]
    assert not closed
    assert answers(reads, keep_heads=True)[2] == len(reads) - 1


def test_what_differs_by_one_byte_anywhere_is_not_the_same_head():
    first = request(b"one")
    parts = cut(bytearray(first), len(first))
    assert parts is not None
    head = KnownHead(*parts)
    for at in range(len(first) - 3):  # the body is nobody's business here
        changed = bytearray(first)
        changed[at] ^= 1
        found = head.body_of(changed, len(changed))
        assert found is None, changed


def test_a_length_that_is_none_or_too_large_is_left_to_the_parser():
    for length in (b"+3", b"-3", b"0x3", b" 3", b"3 ", b"3,3", b"", b"\xb3", b"99999999999999999999"):
        broken = b"POST /p?q=1 HTTP/1.1\r\n%bContent-Length: %b\r\n\r\none" % (FIELDS, length)
        same_either_way([request(b"one"), broken, request(b"two")])
    written, _ = same_either_way([request(b"one"), request(b"x" * 65)])
    assert b" 413 " in written


def test_one_connection_may_carry_the_heads_of_many_and_large_ones_are_not_kept():
    keys = [FIELDS.replace(b"Bearer k", b"Bearer %d" % number) for number in range(4)]
    reads = [request(b"%d" % number, fields=keys[number % 4]) for number in range(40)]
    same_either_way(reads)
    assert answers(reads, keep_heads=True)[2] == 36
    large = FIELDS + b"X: " + b"x" * LONGEST + b"\r\n"
    assert answers([request(b"one", fields=large)] * 3, keep_heads=True)[2] == 0


def test_no_more_heads_are_kept_than_there_is_room_for():
    heads = RequestHeads()
    for number in range(3 * MOST + 10):
        heads.keep(
            RequestHead(b"POST /%d HTTP/1.1\r\nContent-Length: " % number, b"\r\n\r\n", "POST", b"/", {})
        )
    assert len(heads._known) == 10


def test_who_is_vetted_away_is_vetted_away_again():
    written, _ = same_either_way([request(b"one", path=b"/deny")] * 3)
    assert written.count(b" 401 ") == 3


def test_more_or_less_than_one_request_in_a_read_is_parsed():
    one, two = request(b"one"), request(b"second")
    same_either_way([one, one + two, two[:-1], two[-1:], b"\r\n" + one, one, one + b"G"])
    same_either_way([one, two[:20], two[20:], one])


PIECES = st.sampled_from(
    [
        request(b"one"),
        request(b"another one"),
        request(b"x" * 65),
        request(b"", path=b"/deny"),
        request(b"chunk", fields=FIELDS + b"Connection: close\r\n"),
        request(b"expected", fields=FIELDS + b"Expect: 100-continue\r\n"),
        b"GET /p?q=1 HTTP/1.1\r\n" + FIELDS + b"\r\n",
        b"POST /p?q=1 HTTP/1.1\r\n" + FIELDS + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"\r\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, min_size=2, max_size=8), st.lists(st.integers(1, 200), max_size=6))
def test_however_it_is_cut_into_reads_the_answers_are_the_parsers(pieces: list[bytes], cuts: list[int]):
    whole = b"".join(pieces)
    reads = [*pieces] if not cuts else []
    for length in cuts:
        reads.append(whole[:length])
        whole = whole[length:]
    if cuts and whole:
        reads.append(whole)
    same_either_way([read for read in reads if read])


def test_an_answer_is_known_by_its_head_and_only_if_it_is_whole_json():
    known = KnownAnswers()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    first = bytearray(answer % (2, b"{}"))
    known.learn(first, len(first), {b"content-type": b"application/json", b"content-length": b"2"})
    assert known.known is not None
    assert known.known.headers == {b"content-type": b"application/json"}
    later = bytearray(answer % (9, b'{"a": 12}'))
    assert bytes(known.known.body_of(later, len(later)) or b"") == b'{"a": 12}'
    assert known.known.body_of(later, len(later) - 1) is None
    assert known.known.body_of(bytearray(later + b"H"), len(later) + 1) is None
    stream = KnownAnswers()
    stream.learn(first, len(first), {b"content-type": b"text/event-stream", b"content-length": b"2"})
    assert stream.known is None


def test_heads_that_always_differ_are_hardly_looked_at_any_more():
    known = KnownAnswers()
    looked = 0
    for number in range(320):
        head = (
            b"HTTP/1.1 200 OK\r\nx: %d\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
            % number
        )
        before = known.known
        known.learn(bytearray(head), len(head), {b"content-type": b"application/json"})
        looked += known.known is not before
    assert looked < 40
