"""Replicas over real sockets: what clients of every manner get."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import openai
import orjson
import pytest

from simfleet.fleet import PortTaken, running, start
from simfleet.replica import ReplicaSettings


def events(text: str) -> list[dict[str, Any]]:
    """Events of a stream, which must end as it should."""
    lines = text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [orjson.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def test_an_answer_carries_exact_usage_and_the_second_time_its_cached_tokens(http, chat):
    first, second = [(await http.post("/v1/chat/completions", json=chat(words=1000))).json() for _ in "ab"]
    assert first["usage"] == {
        "prompt_tokens": 1004,
        "completion_tokens": 5,
        "total_tokens": 1009,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    assert second["usage"]["prompt_tokens_details"] == {"cached_tokens": 992}
    assert second["choices"] == first["choices"]


async def test_a_stream_says_the_same_as_a_whole_answer(http, chat):
    whole = (await http.post("/v1/chat/completions", json=chat(tokens=20))).json()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = await http.post("/v1/chat/completions", json=chat(tokens=20, **options))
    assert answer.headers["content-type"].startswith("text/event-stream")
    seen = events(answer.text)
    said = "".join(event["choices"][0]["delta"]["content"] for event in seen[:-1])
    assert said == whole["choices"][0]["message"]["content"]
    assert seen[-1]["usage"]["completion_tokens"] == 20
    plain = await http.post("/v1/chat/completions", json=chat(tokens=20, stream=True))
    assert not any("usage" in event for event in events(plain.text))


async def test_the_openai_client_is_content(fleet):
    async with openai.AsyncOpenAI(base_url=f"{fleet.urls[0]}/v1", api_key="none") as client:
        models = await client.models.list()
        asked: Any = {"model": models.data[0].id, "messages": [{"role": "user", "content": "hello"}]}
        whole = await client.chat.completions.create(**asked, max_tokens=7)
        stream = await client.chat.completions.create(
            **asked, max_tokens=7, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == whole.choices[0].message.content
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.chat.completions.create(**asked | {"model": "gpt-9"})
        with pytest.raises(openai.BadRequestError, match="maximum context length"):
            await client.chat.completions.create(**asked, max_tokens=10_000_000)


async def test_the_request_id_of_the_client_is_echoed_and_booked(http, chat, fleet):
    answer = await http.post("/v1/chat/completions", json=chat(), headers={"x-request-id": "req_7"})
    assert answer.headers["x-request-id"] == "req_7"
    assert answer.json()["id"] == "chatcmpl-req_7"
    page = (await http.get("/admin/record")).json()
    (entry,) = page["requests"]
    assert entry["request_id"] == "req_7"
    assert entry["outcome"] == "completed"
    usage = answer.json()["usage"]
    for ours, theirs in (("prompt_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        assert entry[ours] == page["totals"][ours] == usage[theirs]
    assert (await http.get("/admin/record?after=1")).json()["requests"] == []
    assert (await http.get("/admin/record?after=x")).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/metrics", 200),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/metrics", 405),
        ("GET", "/elsewhere", 404),
    ],
)
async def test_other_paths(http, method, path, status):
    assert (await http.request(method, path)).status_code == status


async def test_pipelined_requests_are_answered_in_order(raw, chat):
    lengths = list(range(1, 41))  # more than a connection reads ahead
    reader, writer = await raw(*(chat(tokens=length) for length in lengths))
    for length in lengths:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert orjson.loads(await reader.readexactly(size))["usage"]["completion_tokens"] == length
    writer.close()


async def test_a_chunked_body_that_arrives_byte_by_byte_is_understood(fleet, chat):
    sent = orjson.dumps(chat())
    reader, writer = await asyncio.open_connection("127.0.0.1", fleet.replicas[0].port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    for index in range(len(sent)):
        writer.write(b"1\r\n" + sent[index : index + 1] + b"\r\n")
        if index % 40 == 0:
            await writer.drain()
            await asyncio.sleep(0)
    writer.write(b"0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize(
    ("bytes_sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nlong: " + b"x" * 70_000 + b"\r\n\r\n", b"413"),
    ],
)
async def test_what_is_not_http_is_refused_and_closed(fleet, bytes_sent, status):
    reader, writer = await asyncio.open_connection("127.0.0.1", fleet.replicas[0].port)
    writer.write(bytes_sent)
    assert (await reader.readline()).split()[1] == status
    await asyncio.wait_for(reader.read(), 20)
    assert reader.at_eof()
    writer.close()


async def test_connection_close_is_honoured(fleet):
    reader, writer = await asyncio.open_connection("127.0.0.1", fleet.replicas[0].port)
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 20)
    assert b"connection: close" in answer
    writer.close()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_frees_its_sequence(fleet, raw, chat, until, stream):
    replica = fleet.replicas[0]
    reader, writer = await raw(chat(tokens=100_000, stream=stream), headers="x-request-id: gone\r\n")
    if stream:
        await reader.readuntil(b"data: ")
    await until(lambda: replica.engine.running == 1)
    writer.close()
    await until(lambda: replica.engine.idle)
    assert replica.engine.cache.used == 0
    (entry,) = replica.record.after(0, 10)
    assert (entry.request_id, entry.outcome, entry.finish_reason) == ("gone", "aborted", None)
    assert entry.delivered_tokens <= entry.output_tokens < 100_000
    assert replica.meters.finished["abort"] == 1


async def test_a_client_that_leaves_while_waiting_is_forgotten(chat, until):
    settings = ReplicaSettings(max_sequences=1, speed=20.0)
    async with running(settings=settings) as fleet, httpx.AsyncClient(base_url=fleet.urls[0]) as http:
        engine = fleet.replicas[0].engine
        tasks = [
            asyncio.create_task(http.post("/v1/chat/completions", json=chat(tokens=100_000)))
            for _ in range(2)
        ]
        await until(lambda: len(engine.waiting) == 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: engine.idle)
        assert engine.cache.used == 0


async def test_a_reader_who_never_reads_holds_up_nobody_and_little_memory(chat, until):
    """20,000 tokens are about 9 MB of events; the engine must finish them while none is read."""
    async with running(settings=ReplicaSettings(speed=1000.0)) as fleet:
        replica = fleet.replicas[0]
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", replica.port))
        body = orjson.dumps(chat(tokens=20_000, stream=True))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nx-request-id: %s\r\ncontent-length: %d\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(sock, head % (b"x" * 250, len(body)) + body)
        await until(lambda: replica.meters.finished["length"] == 1)
        assert replica.engine.idle, "its KV blocks are free although nothing was read"
        assert replica.record.totals.completed == 0
        (connection,) = replica._connections
        assert connection._transport.get_write_buffer_size() <= 64 * 1024 + 4096

        async with httpx.AsyncClient(base_url=fleet.urls[0]) as other:
            assert (await other.post("/v1/chat/completions", json=chat())).status_code == 200

        reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
        words = 0
        while b"data: [DONE]" not in (line := await reader.readline()):
            if line.startswith(b"data: "):
                words += orjson.loads(line[6:])["choices"][0]["delta"]["content"].count(" ")
        assert words == 20_000
        assert replica.record.totals.delivered_tokens == 20_005
        writer.close()


async def test_tokens_can_be_flushed_several_at_a_time(chat):
    async with (
        running(settings=ReplicaSettings(stream_interval=8, speed=20.0)) as fleet,
        httpx.AsyncClient(base_url=fleet.urls[0]) as http,
    ):
        answer = await http.post("/v1/chat/completions", json=chat(tokens=20, stream=True))
        pieces = [event["choices"][0]["delta"]["content"].count(" ") for event in events(answer.text)]
        assert pieces == [0, 1, 8, 8, 3]


async def test_replicas_share_a_process_but_not_a_cache(fleet, chat):
    for url in fleet.urls:
        async with httpx.AsyncClient(base_url=url) as http:
            usage = (await http.post("/v1/chat/completions", json=chat(words=500))).json()["usage"]
            assert usage["prompt_tokens_details"]["cached_tokens"] == 0


async def test_a_taken_port_is_named_and_nothing_is_left_listening(fleet):
    taken = fleet.replicas[1].port
    with pytest.raises(PortTaken, match=f"127.0.0.1:{taken}"):
        await start(replicas=1, base_port=taken)
    async with running(replicas=1) as spare:
        free = spare.replicas[0].port
    assert free != taken
    async with running(replicas=1, base_port=free) as again:
        assert again.replicas[0].port == free


async def test_a_busy_fleet_stops_at_once_and_its_clients_see_it(chat, until):
    async with running(settings=ReplicaSettings()) as fleet, httpx.AsyncClient() as http:
        task = asyncio.create_task(
            http.post(f"{fleet.urls[0]}/v1/chat/completions", json=chat(tokens=100_000))
        )
        await until(lambda: fleet.replicas[0].engine.running > 0)
        await fleet.stop()
        with pytest.raises(httpx.TransportError):
            await asyncio.wait_for(task, 20)
