"""Does the gateway hold little for a slow reader, delay nobody, and change no byte on the way?"""

from __future__ import annotations

import asyncio
import socket
import time

from tests.gateway import upstream as up
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import chat_body, chat_request, gateway
from tests.gateway.upstream import Call, replicas

HELD_AT_MOST = 64 * 1024
EVENTS_PER_CHUNK = 16
EVENT = up.event("x" * 180)
CHUNKS = 10 * 1024 * 1024 // (len(EVENT) * EVENTS_PER_CHUNK) + 1
"""Together 10 MB."""


class Flood:
    """Streams 10 MB as fast as it is let."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, call: Call) -> None:
        await call.begin_stream()
        for _ in range(CHUNKS):
            await call.chunk(EVENT * EVENTS_PER_CHUNK)
            self.sent += len(EVENT) * EVENTS_PER_CHUNK
        await call.chunk(up.DONE)
        await call.end_stream()


def slow_socket(port: int) -> socket.socket:
    """A client whose kernel takes little: what it does not read is held by the gateway."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


async def test_a_slow_reader_of_10_mb_holds_at_most_64_kb_and_pauses_the_replica(tmp_path):
    flood = Flood()
    async with replicas(script=flood) as (one,), gateway(tmp_path, [one.url]) as gw:
        loop = asyncio.get_running_loop()
        held = 0

        def sample() -> bool:
            nonlocal held
            (connection,) = gw.data.connections
            for exchange in gw.plane.live:
                pending = exchange._events.held if exchange._events else 0
                held = max(held, connection.unsent + pending)
            return any(e._upstream and not e._upstream.transport.is_reading() for e in gw.plane.live)

        with slow_socket(gw.data.port) as sock:
            await loop.sock_sendall(sock, chat_request(chat_body(stream=True)))
            await until(lambda: gw.data.connections)
            await until(sample)
            received = bytearray()
            for _ in range(100):  # 1 KB at a time
                received += await loop.sock_recv(sock, 1024)
                await asyncio.sleep(0)
                sample()
            assert held <= HELD_AT_MOST
            assert flood.sent < 2 * 1024 * 1024  # the rest waits at the replica
            await until(sample)
            while not received.endswith(b"0\r\n\r\n"):
                received += await loop.sock_recv(sock, 1 << 20)
                sample()
        assert held <= HELD_AT_MOST
    body = dechunked(bytes(received).partition(b"\r\n\r\n")[2])
    assert body.replace(b',"service_tier":"default"', b"") == EVENT * EVENTS_PER_CHUNK * CHUNKS + up.DONE


def dechunked(data: bytes) -> bytes:
    out: list[bytes] = []
    position = 0
    while True:
        end = data.index(b"\r\n", position)
        size = int(data[position:end], 16)
        if not size:
            return b"".join(out)
        out.append(data[end + 2 : end + 2 + size])
        position = end + size + 4


async def test_a_reader_that_leaves_a_paused_stream_frees_the_replica(tmp_path):
    async with replicas(script=Flood()) as (one,), gateway(tmp_path, [one.url]) as gw:
        loop = asyncio.get_running_loop()
        with slow_socket(gw.data.port) as sock:
            await loop.sock_sendall(sock, chat_request(chat_body(stream=True)))
            await until(lambda: gw.data.connections and all(c.write_paused for c in gw.data.connections))
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: not gw.plane.live)


async def test_small_chunks_are_not_held_back_for_an_acknowledgement(tmp_path):
    """With Nagle's algorithm on either side nearly every stream of small writes stalls for 40 ms."""

    async def words(call):
        await call.begin_stream()
        for _ in range(4):
            await call.chunk(up.event("word "))
            await asyncio.sleep(0.001)
        await call.chunk(up.DONE)
        await call.end_stream()

    async with replicas(script=words) as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        stalled = 0
        for _ in range(20):
            await client.send(chat_request(chat_body(stream=True)))
            await client.head()
            last = time.monotonic()
            longest = 0.0
            async for _ in client.chunks():
                longest = max(longest, time.monotonic() - last)
                last = time.monotonic()
            stalled += longest > 0.035
        assert stalled < 10


async def test_bytes_cut_anywhere_by_the_replica_arrive_in_order(tmp_path):
    stream = b"".join(up.event(f"word {number} é") for number in range(40)) + up.USAGE_EVENT + up.DONE

    async def shredded(call):
        await call.begin_stream()
        for position in range(0, len(stream), 37):
            await call.chunk(stream[position : position + 37])
            await asyncio.sleep(0)
        await call.end_stream()

    async with replicas(script=shredded) as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        got = await client.answer()
        edited = got.body.replace(b',"service_tier":"default"', b"")
        assert edited == stream.replace(up.USAGE_EVENT, b"")


async def test_an_http_1_0_client_gets_its_stream_without_chunks(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        request = chat_request(chat_body(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        await client.send(request)
        got = await client.answer()
        assert "transfer-encoding" not in got.headers
        assert got.body.endswith(up.DONE)
        assert await client.ended()
