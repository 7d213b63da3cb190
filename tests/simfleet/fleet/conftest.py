"""A running fleet, and a client that sees every byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import orjson
import pytest
import uvloop

from simfleet.fleet import Fleet, running
from simfleet.replica import ReplicaSettings

HANG = 20.0
"""Seconds after which a test is taken to hang; never a figure."""


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop the fleet really runs on: its timers and transports differ from asyncio's own."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """Two replicas whose engines run twenty times faster than modelled."""
    async with running(replicas=2, settings=ReplicaSettings(speed=20.0)) as started:
        yield started


@pytest.fixture
async def http(fleet: Fleet) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the first replica."""
    async with httpx.AsyncClient(base_url=fleet.urls[0], timeout=HANG, trust_env=False) as client:
        yield client


@pytest.fixture
def chat() -> Callable[..., dict[str, Any]]:
    """Makes request bodies: ``chat(tokens=..., words=..., **more)``."""

    def body(*, tokens: int = 5, words: int = 50, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": "ace " * words}]
        asked = {"model": "llama-3-8b", "messages": messages, "max_tokens": tokens, "ignore_eos": True}
        return asked | more

    return body


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Any]:
    """Waits for something to become true."""

    async def wait(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG):
            while not true():  # noqa: ASYNC110 - what is waited for is the code under test, it sets no event
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def raw(fleet: Fleet) -> Callable[..., Any]:
    """Opens a bare connection to the first replica and sends requests, whole, in one write."""

    async def connect(*bodies: dict[str, Any], headers: str = "", limit: int = 2**22) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", fleet.replicas[0].port, limit=limit)
        for body in bodies:
            sent = orjson.dumps(body)
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{headers}"
            writer.write(f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent)
        return reader, writer

    return connect


@pytest.fixture
def until_reset() -> Callable[[asyncio.StreamReader], Any]:
    """Reads until the peer resets the connection; an orderly end is a failure."""

    async def read(reader: asyncio.StreamReader) -> bytes:
        seen = b""
        try:
            async with asyncio.timeout(HANG):
                while more := await reader.read(2**16):
                    seen += more
        except ConnectionError:
            return seen
        pytest.fail("the connection ended in good order")

    return read
