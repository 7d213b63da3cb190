"""Does a real engine serve through the gateway? llama.cpp, with a model this test writes.

Skipped where ``llama_cpp`` is not installed; CONTRIBUTING.md says how to install it. It must not be missing
where ``REQUIRE_REAL_ENGINE=1``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from openai import AsyncOpenAI

from coordination.program.records import ProgramRecords
from tests.gateway.policy import secret
from tests.gateway.raw_client import until
from tests.gateway.running import admin, gateway
from tests.support import tiny_gguf
from tests.support.ports import free_port

pytestmark = pytest.mark.slow
if importlib.util.find_spec("llama_cpp") is None and os.environ.get("REQUIRE_REAL_ENGINE") != "1":
    pytest.skip("llama-cpp-python is not installed: see CONTRIBUTING.md", allow_module_level=True)

MESSAGES = [{"role": "user", "content": "Say three words."}]
START_SECONDS = 100
"""A guard against a hang: the server imports much and loads little."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The base URL of a llama.cpp server."""
    folder = tmp_path_factory.mktemp("engine")
    tiny_gguf.write(folder / "tiny.gguf")
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", port, "--n_ctx", tiny_gguf.CONTEXT, "--n_threads", 1]
    options += ["--interrupt_requests", "false"]
    named = ["--model", folder / "tiny.gguf", "--model_alias", "llama-3-8b", "--chat_format", "chatml"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "llama_cpp.server", *map(str, (*options, *named))], stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        asyncio.run(_listening(url, server))
        yield url
    except TimeoutError:
        pytest.fail((folder / "log").read_text()[-2000:])
    finally:
        server.terminate()
        server.wait(20)


async def _listening(url: str, server: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
        while server.poll() is None:
            try:
                await client.get(f"{url}/v1/models")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise TimeoutError


def generic(records: ProgramRecords) -> ProgramRecords:
    (pool,) = records.pools
    return replace(records, pools=(replace(pool, engine="openai"),))


async def ask(client: AsyncOpenAI, **options: Any) -> Any:
    """Eight words, always the same, with the head of the answer."""
    wanted: dict[str, Any] = {"model": "llama-3-8b", "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    return await client.chat.completions.with_raw_response.create(**wanted | options)


async def explained(gw: Any, request_id: str) -> Any:
    return await admin(gw, f"/decisions/{request_id}")


async def test_a_whole_answer_a_stream_and_what_they_are_charged(tmp_path, engine):
    async with gateway(tmp_path, [engine], change=generic, attempts=0) as gw:
        await until(lambda: gw.replica_states()[0]["reachable"])
        (state,) = gw.replica_states()
        assert (state["known_from"], state["running"], state["health"]) == ("models", None, "healthy")
        base = f"http://127.0.0.1:{gw.data.port}/v1"
        async with AsyncOpenAI(base_url=base, api_key=secret("acme"), max_retries=0, timeout=60) as client:
            raw = await ask(client)
            got = raw.parse()
            said = got.choices[0].message.content
            assert len(said.split()) == 8
            assert got.service_tier == "default"
            told = await explained(gw, raw.headers["x-request-id"])
            assert told["outcome"] == "completed"
            assert [attempt["replica"] for attempt in told["attempts"]] == [engine]
            charged = told["charge"]["tokens"]
            assert charged["uncached_input"] + charged["cached_input"] == got.usage.prompt_tokens > 20
            assert charged["output"] == got.usage.completion_tokens == 8

            raw = await ask(client, stream=True)
            chunks = [chunk async for chunk in raw.parse()]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == said
            assert {chunk.service_tier for chunk in chunks} == {"default"}
            told = await explained(gw, raw.headers["x-request-id"])
            assert told["outcome"] == "completed"
            # It says nothing of usage in a stream: a word is a token and an event, so the events tell.
            assert told["charge"]["tokens"]["output"] == 8

            words = await client.completions.create(
                model="llama-3-8b", prompt="hello", max_tokens=4, temperature=0
            )
            assert len(words.choices[0].text.split()) == 4
            assert [model.id async for model in client.models.list()] == ["llama-3-8b"]


async def test_what_the_engine_refuses_reaches_the_client_and_costs_nothing(tmp_path, engine):
    async with gateway(tmp_path, [engine], change=generic, attempts=0) as gw:
        base = f"http://127.0.0.1:{gw.data.port}/v1"
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            too_long = [{"role": "user", "content": "z" * 2000}]
            got = await client.post(
                f"{base}/chat/completions",
                json={"model": "llama-3-8b", "messages": too_long},
                headers={"authorization": f"Bearer {secret('acme')}"},
            )
        assert got.status_code == 400
        assert got.json()["error"]["code"] == "context_length_exceeded"
        told = await explained(gw, got.headers["x-request-id"])
        assert not any(told["charge"]["tokens"].values())
