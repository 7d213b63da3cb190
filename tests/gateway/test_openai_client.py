"""Does the real ``openai`` client work against the gateway, and raise what its users catch?"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway import upstream as up
from tests.gateway.policy import SECOND, secret
from tests.gateway.raw_client import until
from tests.gateway.running import gateway
from tests.gateway.upstream import replicas

MESSAGES = [{"role": "user", "content": "Say three words."}]


@asynccontextmanager
async def client_of(tmp_path, script=up.answer, key="acme", **policy):
    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url], **policy) as gw:
        base = f"http://127.0.0.1:{gw.data.port}/v1"
        async with AsyncOpenAI(base_url=base, api_key=secret(key), max_retries=0, timeout=20) as client:
            yield client, one, gw


def ask(client: AsyncOpenAI, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": "llama-3-8b", "messages": MESSAGES} | options)


async def test_a_completion(tmp_path):
    async with client_of(tmp_path) as (client, _, _gw):
        got = await ask(client, service_tier="priority")
        assert got.choices[0].message.content == "one two three"
        assert got.service_tier == "priority"
        assert got.usage is not None
        assert got.usage.prompt_tokens == 11


async def test_a_stream(tmp_path):
    async with client_of(tmp_path) as (client, _, _gw):
        chunks = [chunk async for chunk in await ask(client, stream=True)]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three"
        assert {chunk.service_tier for chunk in chunks} == {"default"}
        assert all(chunk.usage is None for chunk in chunks)


async def test_a_stream_with_usage(tmp_path):
    async with client_of(tmp_path) as (client, _, _gw):
        stream = await ask(client, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 3


async def test_models(tmp_path):
    async with client_of(tmp_path) as (client, _, _gw):
        assert [model.id async for model in client.models.list()] == ["llama-3-8b"]
        assert (await client.models.retrieve("llama")).id == "llama-3-8b"


@pytest.mark.parametrize(
    ("key", "options", "raised", "code"),
    [
        ("revoked", {}, openai.AuthenticationError, "invalid_api_key"),
        ("reader", {}, openai.PermissionDeniedError, "key_not_permitted"),
        ("acme", {"service_tier": "flex"}, openai.PermissionDeniedError, "tier_not_entitled"),
        ("acme", {"model": "gpt-9"}, openai.NotFoundError, "model_not_found"),
        ("acme", {"messages": []}, openai.BadRequestError, "invalid_request"),
        ("acme", {"service_tier": "gold"}, openai.BadRequestError, "unknown_tier"),
    ],
)
async def test_each_refusal_is_the_error_class_a_user_catches(tmp_path, key, options, raised, code):
    async with client_of(tmp_path, key=key) as (client, _, _gw):
        with pytest.raises(raised) as caught:
            await ask(client, **options)
        assert caught.value.code == code
        assert caught.value.request_id.startswith("req_")


async def test_a_rate_limit_is_a_rate_limit_error(tmp_path):
    async with client_of(tmp_path, key="tight") as (client, _, _gw):
        await ask(client)
        with pytest.raises(openai.RateLimitError) as caught:
            await ask(client)
        assert caught.value.code == "rate_limit_exceeded"
        assert int(caught.value.response.headers["retry-after-ms"]) > 0


async def never(call):
    await asyncio.Event().wait()


async def test_no_capacity_in_time_is_a_503_status_error(tmp_path):
    options = {"sequences": 1, "standard_wait": SECOND // 5}
    async with client_of(tmp_path, never, **options) as (client, one, _):
        held = asyncio.ensure_future(ask(client))
        await until(lambda: one.calls)
        with pytest.raises(openai.APIStatusError) as caught:
            await ask(client)
        assert caught.value.status_code == 503
        assert caught.value.code == "capacity_exceeded"
        held.cancel()


@pytest.mark.parametrize(("script", "status"), [(never, 504), (None, 502)])
async def test_a_failing_replica_is_an_internal_server_error(tmp_path, script, status):
    async def die(call):
        call.die()

    async with client_of(tmp_path, script or die, first_byte=SECOND // 5) as (client, _, _gw):
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(client)
        assert caught.value.status_code == status


async def test_a_stream_that_breaks_is_an_api_error(tmp_path):
    async def half(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await asyncio.sleep(0.02)
        call.die()

    async with client_of(tmp_path, half) as (client, _, _gw):
        stream = await ask(client, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "one "
        with pytest.raises(openai.APIError, match="stopped answering"):
            await anext(stream)


async def test_a_client_timeout_stops_the_engine(tmp_path):
    async with client_of(tmp_path, never) as (client, one, gw):
        with pytest.raises(openai.APITimeoutError):
            await ask(client, timeout=0.2)
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: not gw.plane.live)


async def test_closing_a_stream_early_stops_the_engine(tmp_path):
    async def endless(call):
        await call.begin_stream()
        while True:
            await call.chunk(up.event("word "))
            await asyncio.sleep(0.002)

    async with client_of(tmp_path, endless) as (client, one, gw):
        stream = await ask(client, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: not gw.plane.live)


async def test_a_cancelled_request_stops_the_engine(tmp_path):
    async with client_of(tmp_path, never) as (client, one, gw):
        asking = asyncio.ensure_future(ask(client))
        await until(lambda: one.calls)
        asking.cancel()
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: not gw.plane.live)
