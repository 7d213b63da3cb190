"""Does the client tell a whole answer, an error and a broken one apart, and keep its connections?"""

from __future__ import annotations

import asyncio

import pytest

from simfleet.workload.client import Client, ExchangeFailed, Target

from .scripted_server import chunk, completion, event, plain, serving, stream_head


async def ask(url: str, times: int = 1):
    async with Client(Target.parse(url)) as client:
        for _ in range(times - 1):
            await client.complete(b"{}", "key")
        return await client.complete(b"{}", "key")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", Target("127.0.0.1", 8080, False, "")),
        ("http://127.0.0.1:8080/v1/", Target("127.0.0.1", 8080, False, "")),
        ("https://models.example/team/v1", Target("models.example", 443, True, "/team")),
        ("http://[::1]:9", Target("::1", 9, False, "")),
    ],
)
def test_a_target_is_the_part_of_the_url_before_v1(url, expected):
    assert Target.parse(url) == expected


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_http_url_is_refused(url):
    with pytest.raises(ValueError, match=r"not like|Port"):
        Target.parse(url)


async def test_a_streamed_answer_gives_text_usage_headers_and_first_token():
    async def script(_asked, writer):
        whole = completion("one ", "two", prompt=7, cached=3, x_headway_tier_served="flex")
        head, first, rest = whole[:180], whole[180:200], whole[200:]
        for piece in (head, first, rest):  # cut anywhere: events span reads
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(script) as server:
        answer = await ask(server.url)
    assert (answer.status, answer.complete, answer.code, answer.fault) == (200, True, None, None)
    assert answer.texts == ["one ", "two"]
    assert (answer.prompt_tokens, answer.cached_tokens, answer.output_tokens) == (7, 3, 2)
    assert answer.headers["x-headway-tier-served"] == "flex"
    assert answer.first_token_at is not None
    assert answer.first_token_at <= answer.ended_at


async def test_an_event_without_content_is_not_the_first_token():
    async with serving(lambda _, writer: writer.write(completion())) as server:
        answer = await ask(server.url)
    assert answer.first_token_at is None
    assert answer.complete


async def test_lines_that_end_with_crlf_are_events_too():
    def script(_asked, writer):
        data = event(choices=[{"delta": {"content": "a"}}]).replace(b"\n", b"\r\n")
        halves = (data[:-3], data[-3:], b": keep-alive\r\n\r\ndata: [DONE]\r\n\r\n")
        writer.write(stream_head() + b"".join(map(chunk, halves)) + b"0\r\n\r\n")

    async with serving(script) as server:
        answer = await ask(server.url)
    assert answer.texts == ["a"]
    assert answer.complete


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (503, "capacity_exceeded")])
async def test_an_error_answer_gives_its_code(status, code):
    script = plain(status, {"error": {"message": "no", "type": "t", "param": None, "code": code}})
    async with serving(lambda _, writer: writer.write(script)) as server:
        answer = await ask(server.url)
    assert (answer.status, answer.code, answer.fault) == (status, code, None)


async def test_an_error_event_inside_a_stream_gives_its_code():
    def script(_asked, writer):
        events = event(choices=[{"delta": {"content": "a"}}]) + event(error={"code": "upstream_failed"})
        writer.write(stream_head() + chunk(events) + b"0\r\n\r\n")

    async with serving(script) as server:
        answer = await ask(server.url)
    assert (answer.code, answer.complete, answer.fault) == ("upstream_failed", False, None)


@pytest.mark.parametrize(
    ("bytes_sent", "fault"),
    [
        (stream_head() + chunk(event(choices=[])) + b"0\r\n\r\n", "without [DONE]"),
        (stream_head() + chunk(b"data: {oops\n\n") + b"0\r\n\r\n", "not a completion"),
        (plain(200, {"choices": 3}), "not a completion"),
    ],
)
async def test_an_answer_that_is_whole_http_but_no_completion_has_a_fault(bytes_sent, fault):
    async with serving(lambda _, writer: writer.write(bytes_sent)) as server:
        answer = await ask(server.url)
    assert answer.fault is not None
    assert fault in answer.fault


@pytest.mark.parametrize(
    ("bytes_sent", "says"),
    [
        (b"", "closed before the answer ended"),
        (stream_head() + chunk(event(choices=[])), "closed before the answer ended"),
        (b"SSH-2.0-OpenSSH_9\r\n", "not HTTP"),
    ],
)
async def test_a_cut_or_foreign_answer_is_a_failed_exchange(bytes_sent, says):
    def script(_asked, writer):
        writer.write(bytes_sent)
        writer.close()

    async with serving(script) as server:
        with pytest.raises(ExchangeFailed, match=says):
            await ask(server.url)


async def test_nobody_listening_is_a_failed_exchange():
    async with serving(lambda *_: None) as server:
        url = server.url
    with pytest.raises(ExchangeFailed, match=r"no connection to 127\.0\.0\.1"):
        await ask(url)


async def test_answers_one_after_another_share_one_connection():
    async with serving(lambda _, writer: writer.write(completion("a"))) as server:
        await ask(server.url, times=5)
        assert (len(server.asked), server.connections) == (5, 1)


async def test_a_connection_the_server_will_close_is_not_used_again():
    script = plain(200, {}).replace(b"content-type", b"connection: close\r\ncontent-type")
    async with serving(lambda _, writer: writer.write(script)) as server:
        await ask(server.url, times=3)
        assert server.connections == 3


async def test_a_cancelled_request_closes_its_connection():
    left = asyncio.Event()

    async def script(_asked, writer):
        writer.write(stream_head())
        try:
            while True:
                writer.write(chunk(event(choices=[])))
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            left.set()

    async with serving(script) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(server.url)
        async with asyncio.timeout(20):
            await left.wait()
