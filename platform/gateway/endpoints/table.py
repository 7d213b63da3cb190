"""Which paths does a model answer, and what differs between them? Everything else is one and the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from coordination.scheduling.values import Usage
from gateway.endpoints.responses import ResponseEvents, read_response, read_response_usage, response_prompt
from gateway.endpoints.texts import (
    TextEvents,
    completion_prompt,
    embedding_prompt,
    read_completion,
    read_embedding,
)
from gateway.errors import Problem
from gateway.prompt import ModelRequest, Prompt, chat_prompt, read_chat
from gateway.sse import EventStream
from gateway.usage import read_usage


class Endpoint(NamedTuple):
    """One path, here and at the engines."""

    path: bytes
    operation: str
    """What OpenTelemetry calls it (``gen_ai.operation.name``)."""
    read: Callable[[bytes], ModelRequest | Problem]
    prompt: Callable[[dict[str, Any]], Prompt]
    usage: Callable[[bytes], Usage | None]
    """What an answer that is not streamed reports."""
    events: type[EventStream] = EventStream
    asks_usage: bool = True
    """Streams tell it only if asked."""
    generates: bool = True
    """Token after token: an answer that is not streamed begins when the last is made."""


def _completion_usage(answer: bytes) -> Usage | None:
    return read_usage(answer)[0]


CHAT = Endpoint(b"/v1/chat/completions", "chat", read_chat, chat_prompt, _completion_usage)
COMPLETIONS = Endpoint(
    b"/v1/completions", "text_completion", read_completion, completion_prompt, _completion_usage, TextEvents
)
EMBEDDINGS = Endpoint(
    b"/v1/embeddings",
    "embeddings",
    read_embedding,
    embedding_prompt,
    _completion_usage,
    asks_usage=False,
    generates=False,
)
RESPONSES = Endpoint(
    b"/v1/responses", "chat", read_response, response_prompt, read_response_usage, ResponseEvents, False
)

ENDPOINTS = {endpoint.path: endpoint for endpoint in (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES)}
