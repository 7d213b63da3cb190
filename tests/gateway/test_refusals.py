"""Is every refusal coded, OpenAI-shaped, explained, and free of side effects?"""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.errors import CODES
from tests.gateway import policy
from tests.gateway.policy import SECOND, secret
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import admin, chat_body, chat_request, error_code, explanation, gateway, post
from tests.gateway.upstream import answer, replicas


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ({"key": None}, 401, "invalid_api_key"),
        ({"key": "revoked"}, 401, "invalid_api_key"),
        ({"key": "nobody"}, 403, "key_not_permitted"),
        ({"key": "reader"}, 403, "key_not_permitted"),
        ({"model": "gpt-9"}, 404, "model_not_found"),
        ({"model": "unrouted"}, 404, "no_route"),
        ({"service_tier": "flex"}, 403, "tier_not_entitled"),
        ({"service_tier": "gold"}, 400, "unknown_tier"),
        ({"service_tier": "scale"}, 403, "tier_not_entitled"),
        ({"messages": [{"role": "user", "content": "x" * 50_000}]}, 400, "context_length_exceeded"),
        ({"messages": []}, 400, "invalid_request"),
        ({"fields": "x-headway-deadline-ms: soon\r\n"}, 400, "invalid_request"),
    ],
)
async def test_a_refusal_has_its_status_code_and_shape(tmp_path, case, status, code):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, **case)
        assert (got.status, error_code(got)) == (status, code)
        error = json.loads(got.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == CODES[code][1]
        assert got.headers["x-request-id"].startswith("req_")
        assert not one.calls
        assert (await explanation(gw, got))["code"] == code


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic abc",
        "Bearer",
        "Bearer ",
        "Bearer sk-something",
        "bearer hw_aaaaaaaaaa_" + "a" * 52 + "_aaaaaaa",
        "Bearer " + "x" * 5000,
        "Bearer \xff\xfe",
    ],
)
async def test_a_malformed_key_is_401_and_is_never_shown(tmp_path, authorization):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: {authorization}\r\n"
        await client.send(head.encode("latin-1") + b"content-length: 0\r\n\r\n")
        got = await client.answer()
        assert (got.status, error_code(got)) == (401, "invalid_api_key")
        assert got.headers["www-authenticate"].startswith("Bearer")
        assert authorization.encode("latin-1") not in got.body


async def test_a_key_of_which_one_letter_is_wrong_is_401(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        right = secret("acme")
        for position in range(3, len(right), 9):
            wrong = right[:position] + ("b" if right[position] != "b" else "c") + right[position + 1 :]
            client = await RawClient.to(gw.data.port)
            await client.send(chat_request(chat_body()).replace(right.encode(), wrong.encode()))
            assert (await client.answer()).status == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_url"),
        ("POST", "/v1/images", 404, "unknown_url"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/models/../../etc/passwd", 401, "invalid_api_key"),
        ("GET", "/metrics", 404, "unknown_url"),
        ("GET", "/decisions/req_1", 404, "unknown_url"),
    ],
)
async def test_what_is_not_offered_is_404_or_405(tmp_path, method, path, status, code):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".encode())
        got = await client.answer()
        assert (got.status, error_code(got)) == (status, code)
        assert ("allow" in got.headers) == (status == 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\x00" * 100, b'{"model":"llama-3-8b"}'])
async def test_a_body_that_makes_no_sense_is_400(tmp_path, body):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(body))
        got = await client.answer()
        assert got.status == 400
        assert error_code(got) in ("invalid_json", "invalid_request")
        await client.send(chat_request(chat_body()))
        assert (await client.answer()).status == 200  # the connection survives a bad body


async def test_a_10_mb_body_is_413(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(user="x" * 10_485_760)))
        got = await client.answer()
        assert (got.status, error_code(got)) == (413, "request_too_large")
        assert not one.calls


async def test_a_rate_limit_says_when_to_come_back(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw, key="tight")).status == 200
        got = await post(gw, key="tight")
        assert (got.status, error_code(got)) == (429, "rate_limit_exceeded")
        assert 0 < int(got.headers["retry-after"]) <= 90
        assert int(got.headers["retry-after-ms"]) <= int(got.headers["retry-after"]) * 1000
        assert got.headers["x-ratelimit-remaining-requests"] == "0"
        told = await explanation(gw, got)
        assert told["decision"]["verdict"] == "refuse"
        assert "R9" in {step["rule"] for step in told["decision"]["steps"]}
        assert len(one.calls) == 1


async def test_a_second_request_at_once_exceeds_a_concurrency_of_one(tmp_path):
    release = asyncio.Event()

    async def slow(call):
        await release.wait()
        await answer(call)

    async with replicas(script=slow) as (one,), gateway(tmp_path, [one.url]) as gw:
        first = asyncio.ensure_future(post(gw, key="tight"))
        await until(lambda: one.calls)
        got = await post(gw, key="tight")
        assert (got.status, error_code(got)) == (429, "concurrency_exceeded")
        release.set()
        assert (await first).status == 200


async def test_waiting_longer_than_the_tier_allows_is_503(tmp_path):
    async def never(call):
        await asyncio.Event().wait()

    async with (
        replicas(script=never) as (one,),
        gateway(tmp_path, [one.url], sequences=1, standard_wait=SECOND // 5) as gw,
    ):
        held = await RawClient.to(gw.data.port)
        await held.send(chat_request(chat_body()))
        await until(lambda: one.calls)
        got = await post(gw)
        assert (got.status, error_code(got)) == (503, "capacity_exceeded")
        assert "retry-after" in got.headers
        assert len(one.calls) == 1


async def test_a_deadline_that_passes_while_waiting_is_429(tmp_path):
    async def never(call):
        await asyncio.Event().wait()

    async with replicas(script=never) as (one,), gateway(tmp_path, [one.url], sequences=1) as gw:
        held = await RawClient.to(gw.data.port)
        await held.send(chat_request(chat_body()))
        await until(lambda: one.calls)
        got = await post(gw, fields="x-headway-deadline-ms: 100\r\n")
        assert (got.status, error_code(got)) == (429, "deadline_unmeetable")


async def test_a_waiting_request_is_sent_when_another_ends_and_the_queue_is_counted(tmp_path):
    release = asyncio.Event()

    async def slow(call):
        await release.wait()
        await answer(call)

    async with replicas(script=slow) as (one,), gateway(tmp_path, [one.url], sequences=1) as gw:
        both = [asyncio.ensure_future(post(gw)) for _ in range(2)]
        await until(lambda: gw.coordinator.queue_depths()["chat-a", 200] == 1)
        assert 'headway_queue_depth{pool="chat-a",band="200"} 1' in await admin(gw, "/metrics")
        release.set()
        assert [(await one).status for one in both] == [200, 200]
        assert not gw.coordinator.queue_depths()


async def test_a_client_that_leaves_while_waiting_leaves_no_trace_in_the_queue(tmp_path):
    async def never(call):
        await asyncio.Event().wait()

    async with replicas(script=never) as (one,), gateway(tmp_path, [one.url], sequences=1) as gw:
        held = await RawClient.to(gw.data.port)
        await held.send(chat_request(chat_body()))
        await until(lambda: one.calls)
        waiting = await RawClient.to(gw.data.port)
        await waiting.send(chat_request(chat_body()))
        await until(lambda: gw.coordinator.queue_depths().total() == 1)
        waiting.reset()
        await until(lambda: gw.coordinator.queue_depths().total() == 0)
        held.reset()
        await until(lambda: not gw.plane.live)


def test_every_code_of_the_rules_has_a_status():
    from typing import get_args

    from coordination.scheduling.values import Code

    assert set(get_args(Code)) <= set(CODES)
    assert policy.secret("acme") != policy.secret("tight")
