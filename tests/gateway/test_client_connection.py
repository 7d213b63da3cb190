"""Does the client's side read HTTP/1.1 strictly, answer in order, and hold to its limits?"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from gateway.downstream.connection import ClientConnection
from gateway.downstream.listener import Listener
from gateway.downstream.request import HttpRequest, Limits
from gateway.errors import Problem
from tests.gateway.raw_client import RawClient, until

CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Echo:
    """Answers at once with what it was sent; ``/later`` waits to be released, ``/deny`` is vetted away."""

    def __init__(self) -> None:
        self.served: list[bytes] = []
        self.waiting: list[ClientConnection] = []
        self.gone = 0

    def vet(self, request: HttpRequest) -> Problem | None:
        if request.path == b"/deny":
            return Problem("invalid_api_key", "no")
        return None

    def serve(self, request: HttpRequest, connection: ClientConnection):
        if request.problem is not None:
            connection.respond(request.problem.status, b"", request.problem.body())
            return None
        self.served.append(request.path)
        if request.path == b"/later":
            self.waiting.append(connection)
            return self
        body = request.method.encode() + b" " + request.path + b" " + request.body
        connection.respond(200, b"content-type: text/plain\r\n", body)
        return None

    def client_gone(self) -> None:
        self.gone += 1

    def client_full(self) -> None: ...
    def client_drained(self) -> None: ...
    def gateway_stopping(self) -> None: ...


@asynccontextmanager
async def serving(**limits):
    service = Echo()
    listener = Listener(service, Limits(**limits))
    await listener.start("127.0.0.1", 0)
    try:
        yield service, listener
    finally:
        listener.close()
        await asyncio.sleep(0)


async def exchange(port: int, data: bytes):
    client = await RawClient.to(port)
    await client.send(data)
    answer = await client.answer()
    return client, answer


def head(*fields: str, method: str = "POST", version: str = "1.1") -> bytes:
    lines = (f"{method} / HTTP/{version}", "Host: a", *fields)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


LENGTH, CODING, EMPTY = "Content-Length: 3", "Transfer-Encoding: chunked", b"0\r\n\r\n"
AMBIGUOUS = {
    "a length and a coding": head(LENGTH, CODING) + EMPTY,
    "a coding and a length": head(CODING, LENGTH) + EMPTY,
    "two different lengths": head(LENGTH, "Content-Length: 4") + b"abc",
    "the same length twice": head(LENGTH, LENGTH) + b"abc",
    "a list of lengths": head("Content-Length: 3, 3") + b"abc",
    "a signed length": head("Content-Length: +3") + b"abc",
    "an empty length": head("Content-Length: ") + b"abc",
    "a length beyond 64 bits": head("Content-Length: 99999999999999999999") + b"abc",
    "another coding": head("Transfer-Encoding: gzip, chunked") + EMPTY,
    "an unknown coding": head("Transfer-Encoding: xchunked") + EMPTY,
    "a coding twice": head(CODING, CODING) + EMPTY,
    "a coding in HTTP/1.0": head(CODING, version="1.0") + EMPTY,
    "letters for a chunk size": CHUNKED + b"zz\r\n\r\n",
    "a prefixed chunk size": CHUNKED + b"0x3\r\nabc\r\n" + EMPTY,
    "a blank after a chunk size": CHUNKED + b"3 \r\nabc\r\n" + EMPTY,
    "a chunk size beyond 64 bits": CHUNKED + b"10000000000000003\r\nabc\r\n" + EMPTY,
    "a chunk size ended by a bare LF": CHUNKED + b"3\nabc\r\n" + EMPTY,
    "a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n" + EMPTY,
    "bare LF line ends": b"GET / HTTP/1.1\nHost: a\n\n",
    "a bare CR in a header": head("X: a\rY: b"),
    "a folded header": head("X: y\r\n z"),
    "a blank before the colon": head("X : y"),
    "a blank before the colon of a coding": head("Transfer-Encoding : chunked") + EMPTY,
    "a coding behind a vertical tab": head("Transfer-Encoding: \x0bchunked") + EMPTY,
    "a coding in quotes": head('Transfer-Encoding: "chunked"') + EMPTY,
    "a coding and identity": head("Transfer-Encoding: chunked, identity") + EMPTY,
    "a coding, folded": head("Transfer-Encoding:\r\n chunked") + EMPTY,
    "an empty coding": head("Transfer-Encoding: ") + EMPTY,
    "a hexadecimal length": head("Content-Length: 0x3") + b"abc",
    "a length with a fraction": head("Content-Length: 3.0") + b"abc",
    "a negative length": head("Content-Length: -3") + b"abc",
    "a first header that is folded": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a header without a colon": head("Nonsense"),
    "a header without a name": head(": x"),
    "a header name with a parenthesis": head("X(): y"),
    "a bare LF in a header": head("X: a\nY: b"),
    "CR alone for a line end": b"GET / HTTP/1.1\rHost: a\r\r",
    "a negative chunk size": CHUNKED + b"-3\r\nabc\r\n" + EMPTY,
    "an underscore in a chunk size": CHUNKED + b"1_0\r\nabc\r\n" + EMPTY,
    "a chunk without its line end": CHUNKED + b"3\r\nabc" + EMPTY,
    "a bare LF in a chunk extension": CHUNKED + b"3;a\nb\r\nabc\r\n" + EMPTY,
    "another authority than Host": b"GET http://b/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "a user in the authority": b"GET http://a@b/smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
    "a tunnel": b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "two versions": b"GET / HTTP/1.1 HTTP/1.0\r\nHost: a\r\n\r\n",
    "a NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a NUL in a header": head("X: a\0b"),
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": head("Host: b"),
    "two Authorizations": head("Authorization: x", "Authorization: y"),
    "an upgrade": head("Connection: upgrade", "Upgrade: h2c", method="GET"),
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_request_is_answered_400_and_the_connection_closed(name):
    async with serving() as (service, listener):
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        client, answer = await exchange(listener.port, AMBIGUOUS[name] + smuggled)
        assert answer.status == 400
        assert answer.headers["connection"] == "close"
        assert b'"code":"bad_http"' in answer.body
        assert await client.ended()
        assert b"/smuggled" not in service.served


async def test_another_protocol_version_is_505():
    async with serving() as (_, listener):
        _, answer = await exchange(listener.port, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n")
        assert answer.status == 505


async def test_pipelined_requests_are_answered_in_order_even_if_the_first_is_slow():
    async with serving() as (service, listener):
        client = await RawClient.to(listener.port)
        await client.send(
            b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        await until(lambda: service.waiting)
        assert service.served == [b"/later"]
        service.waiting[0].respond(200, b"", b"first")
        bodies = [(await client.answer()).body for _ in range(3)]
        assert bodies == [b"first", b"POST /echo abc", b"GET /last "]


async def test_a_request_arriving_a_byte_at_a_time_is_one_request():
    async with serving() as (_, listener):
        client = await RawClient.to(listener.port)
        for byte in b"POST /echo?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.answer()).body == b"POST /echo?x=1 abc"


async def test_a_chunked_body_with_extensions_and_trailers_is_read():
    async with serving() as (_, listener):
        _, answer = await exchange(
            listener.port, CHUNKED + b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nHost: evil\r\n\r\n"
        )
        assert answer.body == b"POST /echo abcde"


async def test_more_pipelined_requests_than_allowed_close_the_connection_after_the_allowed_ones():
    async with serving(pipelined=3) as (service, listener):
        client = await RawClient.to(listener.port)
        await client.send(
            b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 20
        )
        await until(lambda: service.waiting)
        service.waiting[0].respond(200, b"", b"")
        answers = [await client.answer() for _ in range(5)]
        assert answers[-1].headers["connection"] == "close"
        assert await client.ended()


async def test_a_declared_body_above_the_limit_is_refused_before_it_is_sent():
    async with serving() as (service, listener):
        _, answer = await exchange(
            listener.port, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10485760\r\n\r\n"
        )
        assert answer.status == 413
        assert b"request_too_large" in answer.body
        assert not service.served


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_10_mb_body_gets_its_413_while_it_is_still_being_sent_and_is_not_held(chunked):
    async with serving() as (service, listener):
        client = await RawClient.to(listener.port)
        part = b"x" * 65536
        if chunked:
            await client.send(CHUNKED)
            part = b"10000\r\n" + part + b"\r\n"
        else:
            await client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10485760\r\n\r\n")
        held = 0
        for _ in range(160):
            await client.send(part)
            for connection in listener.connections:
                held = max(held, sum(map(len, connection._body)))
        assert (await client.answer()).status == 413
        assert held <= (8 * 1024 * 1024 if chunked else 0)
        assert all(not connection._body for connection in listener.connections)
        assert not service.served


async def test_a_refused_body_is_drained_but_never_kept():
    """Denied by its head: the connection stays usable, the body went nowhere."""
    async with serving() as (_, listener):
        client = await RawClient.to(listener.port)
        await client.send(b"POST /deny HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert (await client.answer()).status == 401
        await client.send(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).body == b"GET /ok "


async def test_expect_100_continue_is_granted_before_the_body():
    async with serving() as (_, listener):
        client = await RawClient.to(listener.port)
        await client.send(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await client.head()).status == 100
        await client.send(b"abc")
        assert (await client.answer()).body == b"POST /echo abc"


async def test_expect_100_continue_is_answered_with_the_refusal_instead():
    async with serving() as (_, listener):
        denied = b"POST /deny HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        client, answer = await exchange(listener.port, denied)
        assert answer.status == 401
        assert await client.ended()


async def test_a_pipelined_expectation_waits_for_the_answer_before_it():
    async with serving() as (service, listener):
        client = await RawClient.to(listener.port)
        await client.send(
            b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        await until(lambda: service.waiting)
        service.waiting[0].respond(200, b"", b"first")
        assert (await client.answer()).body == b"first"
        assert (await client.head()).status == 100
        await client.send(b"abc")
        assert (await client.answer()).body == b"POST /echo abc"


async def test_an_expectation_not_met_is_417():
    async with serving() as (_, listener):
        _, answer = await exchange(listener.port, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n")
        assert answer.status == 417


@pytest.mark.parametrize(
    "large",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000,
        b"GET /" + b"y" * 40_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(200)) + b"\r\n",
    ],
)
async def test_a_head_that_is_too_large_is_431(large):
    async with serving() as (_, listener):
        client, answer = await exchange(listener.port, large)
        assert answer.status == 431
        assert await client.ended()


async def test_a_head_that_never_ends_is_408_and_a_silent_client_is_closed():
    async with serving(head_seconds=0.2, idle_seconds=0.2) as (_, listener):
        slow, silent = await RawClient.to(listener.port), await RawClient.to(listener.port)
        await slow.send(b"GET / HTTP/1.1\r\nHo")
        assert (await slow.answer()).status == 408
        assert await silent.ended()


async def test_a_body_that_never_ends_is_408():
    async with serving(body_seconds=0.2) as (_, listener):
        client = await RawClient.to(listener.port)
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
        assert (await client.answer()).status == 408


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"],
)
async def test_a_hundred_that_trickle_are_ended_in_their_time_and_hold_nobody_up(begun):
    """Slow loris: a byte now and then puts off no deadline, and whoever asks meanwhile is answered."""
    async with serving(head_seconds=0.3, body_seconds=0.3) as (_, listener):
        trickling = [await RawClient.to(listener.port) for _ in range(100)]
        for client in trickling:
            await client.send(begun)
        ended = asyncio.gather(*(client.answer() for client in trickling))
        while not ended.done():
            for client in trickling:
                if not client.writer.is_closing():
                    client.writer.write(b"y")
            _, answer = await exchange(listener.port, b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answer.status == 200
            await asyncio.sleep(0.01)
        assert {answer.status for answer in await ended} == {408}
        for client in trickling:
            client.close()


async def test_http_1_0_is_answered_and_closed():
    async with serving() as (_, listener):
        client, answer = await exchange(listener.port, b"GET /old HTTP/1.0\r\n\r\n")
        assert answer.body == b"GET /old "
        assert await client.ended()


async def test_an_absolute_target_is_its_path():
    async with serving() as (_, listener):
        for target, path in (
            (b"http://a/echo", b"/echo"),
            (b"HTTPS://A/x?y=http://b/", b"/x?y=http://b/"),
            (b"http://a", b"/"),
        ):
            _, answer = await exchange(listener.port, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
            assert answer.body == b"GET %b " % path


async def test_a_client_that_leaves_is_reported_to_whoever_answers_it():
    async with serving() as (service, listener):
        client = await RawClient.to(listener.port)
        await client.send(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: service.waiting)
        client.reset()
        await until(lambda: service.gone)
        assert not listener.connections or all(c.idle for c in listener.connections)


async def test_accepted_sockets_send_at_once_and_hold_little_unsent():
    async with serving() as (_, listener):
        await exchange(listener.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        (connection,) = listener.connections
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 16 * 1024


async def test_draining_closes_idle_connections_and_answers_the_busy_ones():
    async with serving() as (service, listener):
        idle, busy = await RawClient.to(listener.port), await RawClient.to(listener.port)
        await busy.send(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: service.waiting)
        listener.stop_accepting()
        assert await idle.ended()
        service.waiting[0].respond(200, b"", b"done")
        answer = await busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"done", "close")
        await asyncio.wait_for(listener.emptied(), 20)
