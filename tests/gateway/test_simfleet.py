"""Do gateway and simulated fleet agree, token by token, through streams, caches, deaths and leavers?"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from simfleet.faults import Fault
from simfleet.fleet import Fleet, running
from simfleet.replica import ReplicaSettings
from tests.gateway.policy import secret
from tests.gateway.raw_client import until
from tests.gateway.running import admin, gateway

LONG = "The quick brown fox jumps over the lazy dog. " * 120


@asynccontextmanager
async def served(tmp_path, replicas: int = 2, **policy: Any):
    settings = ReplicaSettings(speed=20.0)
    async with (
        running(replicas=replicas, settings=settings) as fleet,
        gateway(tmp_path, fleet.urls, **policy) as gw,
        AsyncOpenAI(
            base_url=f"http://127.0.0.1:{gw.data.port}/v1", api_key=secret("acme"), max_retries=0, timeout=20
        ) as client,
    ):
        yield fleet, gw, client


def ask(client: Any, text: str = LONG, **options: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(
        **{"model": "llama-3-8b", "messages": messages, "max_tokens": 12} | options
    )


def booked(fleet: Fleet, outcome: str) -> list[Any]:
    served = [entry for replica in fleet.replicas for entry in replica.record.after(0, 1000)]
    return [entry for entry in served if entry.outcome == outcome]


async def test_what_the_gateway_charges_is_what_the_fleet_booked(tmp_path):
    async with served(tmp_path) as (fleet, gw, client):
        for number in range(6):
            stream = await ask(client, LONG + str(number % 2), stream=True)
            text = "".join([c.choices[0].delta.content or "" async for c in stream])
            assert text
            whole = await ask(client, LONG + str(number % 2))
            assert whole.service_tier == "default"
        await until(lambda: len(booked(fleet, "completed")) == 12)
        page = await admin(gw, "/metrics")
        entries = booked(fleet, "completed")
        cached = sum(entry.cached_tokens for entry in entries)
        prompt = sum(entry.prompt_tokens for entry in entries)
        output = sum(entry.output_tokens for entry in entries)
        assert cached > 0
        for kind, count in (
            ("cached_input", cached),
            ("uncached_input", prompt - cached),
            ("output", output),
        ):
            assert f'headway_tokens_total{{tier="standard",class="{kind}"}} {count}\n' in page
        assert {entry.request_id[:4] for entry in entries} == {"req_"}


async def test_a_replica_that_is_dead_serves_nothing_and_nobody_notices(tmp_path):
    async with served(tmp_path) as (fleet, gw, client):
        fleet.replicas[0].die()
        answers = await asyncio.gather(*(ask(client, f"{n} {LONG}") for n in range(8)))
        assert all(answer.choices[0].message.content for answer in answers)
        await until(lambda: [state["reachable"] for state in sorted_states(gw, fleet)] == [False, True])


def sorted_states(gw: Any, fleet: Fleet) -> list[Any]:
    return sorted(gw.replica_states(), key=lambda state: fleet.urls.index(state["replica"]))


async def test_a_replica_that_dies_as_the_request_arrives_is_replaced(tmp_path):
    async with served(tmp_path) as (fleet, _, client):
        fleet.replicas[0].set_fault(Fault(kind="die", after_chunks=0))
        answers = [await ask(client, f"{n} {LONG}") for n in range(3)]
        assert all(answer.choices[0].message.content for answer in answers)


async def test_a_replica_that_dies_mid_stream_is_an_error_inside_the_stream(tmp_path):
    async with served(tmp_path, replicas=1) as (fleet, gw, client):
        fleet.replicas[0].set_fault(Fault(kind="die", after_chunks=4))
        stream = await ask(client, stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
        seen = []

        async def read() -> None:
            async for chunk in stream:
                seen.append(chunk)

        with pytest.raises(openai.APIError) as caught:
            await read()
        assert caught.value.code == "upstream_failed"
        assert len(seen) >= 4
        await until(lambda: not gw.plane.live)


async def test_an_engine_error_is_tried_elsewhere(tmp_path):
    async with served(tmp_path) as (fleet, _, client):
        fleet.replicas[0].set_fault(Fault(kind="error", status=503))
        answers = [await ask(client, f"{n} {LONG}") for n in range(4)]
        assert all(answer.choices[0].message.content for answer in answers)


async def test_a_client_that_leaves_frees_the_engine(tmp_path):
    async with served(tmp_path, replicas=1) as (fleet, gw, client):
        stream = await ask(client, stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
        async for _ in stream:
            break
        await stream.close()
        await until(lambda: booked(fleet, "aborted"))
        (entry,) = booked(fleet, "aborted")
        assert entry.output_tokens < 2000
        await until(lambda: not gw.plane.live)


async def test_scraped_gauges_reach_the_admin_port(tmp_path):
    async with served(tmp_path) as (fleet, gw, client):
        await ask(client)
        await until(lambda: all(state["running"] is not None for state in gw.replica_states()))
        ready = await admin(gw, "/readyz")
        assert {state["replica"] for state in ready["replicas"]} == set(fleet.urls)
        assert all(state["age_ms"] >= 0 for state in ready["replicas"])


async def test_every_endpoint_answers_the_real_client_and_charges_what_was_booked(tmp_path):
    async with served(tmp_path, replicas=1) as (fleet, gw, client):
        model = "llama-3-8b"
        whole = await client.completions.create(model=model, prompt=LONG, max_tokens=7)
        assert whole.usage.completion_tokens == 7
        chunks = [
            c
            async for c in await client.completions.create(
                model=model, prompt=LONG, max_tokens=9, stream=True
            )
        ]
        assert "".join(c.choices[0].text for c in chunks).split()[:7] == whole.choices[0].text.split()
        assert all(c.usage is None for c in chunks)

        vectors = await client.embeddings.create(model=model, input=["one", "two", "one"])
        first, second, third = [entry.embedding for entry in vectors.data]
        assert first == third != second
        assert booked(fleet, "completed")[-1].output_tokens == 0
        assert sum(x * x for x in first) == pytest.approx(1, rel=1e-5)
        plain = await client.embeddings.create(model=model, input="one", encoding_format="float")
        assert plain.data[0].embedding == pytest.approx(first)

        said = await client.responses.create(
            model=model, input=LONG, instructions="Be brief.", max_output_tokens=20
        )
        assert said.service_tier == "default"
        events = [
            event
            async for event in await client.responses.create(
                model=model, input=LONG, instructions="Be brief.", max_output_tokens=20, stream=True
            )
        ]
        assert events[-1].response.output_text == said.output_text
        assert events[-1].response.service_tier == "default"
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert events[-1].type == "response.incomplete"
        assert events[-1].response.usage.output_tokens == 20
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model=model, input="more", previous_response_id=said.id)

        await until(lambda: len(booked(fleet, "completed")) == 6)
        page = await admin(gw, "/metrics")
        entries = booked(fleet, "completed")
        output = sum(entry.output_tokens for entry in entries)
        prompt = sum(entry.prompt_tokens - entry.cached_tokens for entry in entries)
        assert f'headway_tokens_total{{tier="standard",class="output"}} {output}\n' in page
        assert f'headway_tokens_total{{tier="standard",class="uncached_input"}} {prompt}\n' in page
