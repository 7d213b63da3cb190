"""Does a chat completion go through the policy to a replica and back, with nothing else changed?"""

from __future__ import annotations

import json

from tests.gateway import upstream as up
from tests.gateway.policy import secret
from tests.gateway.raw_client import RawClient
from tests.gateway.running import admin, chat_body, chat_request, explanation, gateway, post, put
from tests.gateway.upstream import replicas


async def test_a_whole_answer_is_the_engines_but_for_the_tier(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw)
        assert got.status == 200
        assert got.headers["content-type"] == "application/json"
        sent = json.loads(got.body)
        assert sent.pop("service_tier") == "default"
        assert got.body.replace(b',"service_tier":"default"', b"") == json.dumps(sent, indent=1).encode()


async def test_a_stream_is_the_engines_but_for_the_tier_and_the_usage_we_asked_for(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, stream=True, service_tier="fast")
        expected = b"".join(up.event(word) for word in ("one ", "two ", "three")) + up.DONE
        assert got.body.replace(b',"service_tier":"priority"', b"") == expected
        assert got.body.count(b"service_tier") == 3
        assert one.calls[0].body["stream_options"] == {"include_usage": True}
        assert got.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_usage_the_client_asked_for_is_left_in(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, stream=True, stream_options={"include_usage": True})
        assert b'"cached_tokens":4' in got.body


async def test_the_headers_say_what_was_asked_served_and_waited(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, service_tier="priority", fields="x-request-id: mine\r\n")
        assert got.headers["x-request-id"].startswith("req_")
        assert got.headers["x-headway-tier-requested"] == "priority"
        assert got.headers["x-headway-tier-served"] == "priority"
        assert got.headers["x-headway-reservation"] == "none"
        assert got.headers["x-headway-bundle"] == gw.active.digest
        assert int(got.headers["x-headway-queue-ms"]) >= 0
        assert got.headers["x-ratelimit-limit-tokens"] == "50000000"
        assert int(got.headers["x-ratelimit-remaining-tokens"]) <= 50_000_000
        assert (await explanation(gw, got))["client_request_id"] == "mine"


async def test_the_engine_is_called_by_its_own_name_with_our_id_and_without_the_clients_key(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, model="llama", service_tier="default", temperature=0.25)
        (call,) = one.calls
        assert call.body["model"] == "llama-3-8b"
        assert call.body["temperature"] == 0.25
        assert "service_tier" not in call.body
        assert f"x-request-id: {got.headers['x-request-id']}" in call.head
        assert secret("acme") not in call.head


async def test_the_charge_is_what_the_engine_reported_not_what_was_estimated(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        for stream in (False, True):
            told = await explanation(gw, await post(gw, stream=stream))
            assert told["charge"]["tokens"] == {
                "uncached_input": 7,
                "cached_input": 4,
                "cache_write": 0,
                "output": 3,
                "reasoning": 0,
            }
            assert told["outcome"] == "completed"


async def test_an_explanation_names_rules_candidates_hold_charge_times_and_bundle_but_no_prompt(tmp_path):
    async with replicas(2) as (one, two), gateway(tmp_path, [one.url, two.url]) as gw:
        told = await explanation(gw, await post(gw))
        assert {"R1", "R4", "R6", "R9", "R15"} <= {step["rule"] for step in told["decision"]["steps"]}
        (attempt,) = told["attempts"]
        assert any(one["chosen"] for one in attempt["candidates"])
        assert all(one["chosen"] or one["rejected"] for one in attempt["candidates"])
        assert told["decision"]["hold"]["uncached_input"] > 0
        assert told["bundle"] == gw.active.digest
        times = [told["timings_us"][name] for name in ("decided", "placed", "sent", "first_byte", "finished")]
        assert all(isinstance(time, int) for time in times)
        assert times == sorted(times)
        assert "three words" not in json.dumps(told)


async def test_pipelined_chats_are_answered_in_order(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(
            chat_request(chat_body(stream=True))
            + chat_request(chat_body())
            + f"GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {secret('acme')}\r\n\r\n".encode()
        )
        streamed, whole, models = [await client.answer() for _ in range(3)]
        assert streamed.body.endswith(up.DONE)
        assert json.loads(whole.body)["object"] == "chat.completion"
        assert json.loads(models.body)["object"] == "list"


async def test_a_chunked_request_body_is_a_request_body(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        body = chat_body()
        pieces = b"".join(b"%x\r\n%b\r\n" % (1, bytes([byte])) for byte in body)
        client = await RawClient.to(gw.data.port)
        await client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
            + f"authorization: Bearer {secret('acme')}\r\n\r\n".encode()
            + pieces
            + b"0\r\n\r\n"
        )
        assert (await client.answer()).status == 200


async def test_kept_connections_are_used_again_on_both_sides(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        for stream in (True, False) * 5:
            await client.send(chat_request(chat_body(stream=stream)))
            assert (await client.answer()).status == 200
        assert len(one.calls) == 10
        assert one.connections <= 2  # one for chats, one for scrapes, or one for both


async def test_models_lists_what_the_sender_has_a_route_to(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        for path, ids in (
            ("/v1/models", ["llama-3-8b"]),
            ("/v1/models/llama", "llama-3-8b"),
            ("/v1/models/unrouted", None),
        ):
            head = f"GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {secret('acme')}\r\n\r\n"
            await client.send(head.encode())
            told = json.loads((await client.answer()).body)
            if ids is None:
                assert told["error"]["code"] == "model_not_found"
            elif isinstance(ids, list):
                assert [entry["id"] for entry in told["data"]] == ids
            else:
                assert told["id"] == ids


async def test_metrics_count_requests_tokens_and_times(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        await post(gw)
        await post(gw, key=None)
        page = await admin(gw, "/metrics")
        assert 'headway_requests_total{status="200",code="",tier="standard"} 1' in page
        assert 'headway_requests_total{status="401",code="invalid_api_key",tier=""} 1' in page
        assert 'headway_tokens_total{tier="standard",class="cached_input"} 4' in page
        assert 'headway_time_to_first_token_seconds_count{tier="standard"} 1' in page


async def test_metrics_have_the_names_of_the_semantic_conventions_too(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        await post(gw, stream=True)
        await put(gw, "/v1/completions", prompt="x" * 50_000)
        await post(gw, model="made up")
        page = await admin(gw, "/metrics")
        labels = (
            'gen_ai_operation_name="chat",gen_ai_provider_name="headway",'
            'gen_ai_request_model="llama-3-8b",headway_tier="standard",error_type=""'
        )
        for line in (
            f"gen_ai_server_request_duration_seconds_count{{{labels}}} 1",
            f"gen_ai_server_time_to_first_token_seconds_count{{{labels}}} 1",
            f"gen_ai_server_time_per_output_token_seconds_count{{{labels}}} 1",
            f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="input"}} 11',
            f'gen_ai_client_token_usage_bucket{{{labels},gen_ai_token_type="output",le="1"}} 0',
            f'gen_ai_client_token_usage_bucket{{{labels},gen_ai_token_type="output",le="4"}} 1',
            f'gen_ai_client_token_usage_bucket{{{labels},gen_ai_token_type="output",le="67108864"}} 1',
        ):
            assert line + "\n" in page
        assert 'operation_name="text_completion"' in page
        assert 'error_type="context_length_exceeded"' in page
        assert "made up" not in page


async def test_the_admin_port_tells_health_readiness_and_replicas(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await admin(gw, "/healthz"))["status"] == "ok"
        ready = await admin(gw, "/readyz")
        assert (ready["ready"], ready["bundle"], ready["refused"]) == (True, gw.active.digest, None)
        assert [entry["replica"] for entry in (await admin(gw, "/replicas"))["replicas"]] == [one.url]
        assert "error" in await admin(gw, "/nothing")
        assert "error" in await admin(gw, "/decisions/req_unknown")
