"""What does a chat request say about itself? Checked members, normalised text, a token estimate.

The text exists only while the request is read: it is hashed in blocks, its length is estimated, and
it is dropped. The estimate is the gateway's own, from the bytes alone, so that settlement against
the engine's count is real work.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from gateway.errors import Problem

MOST = 1 << 31
"""Of anything a client may ask for a number of."""
TOKENS_PER_MESSAGE = 4
"""Role and separators of a chat template."""
BYTES_PER_TOKEN_TENTHS = 38
"""English prose and code run at 3.5 to 4.2 bytes a token in today's vocabularies."""


class ChatRequest(msgspec.Struct, frozen=True, eq=False):
    """A chat completion request as far as the gateway reads it."""

    body: dict[str, Any]
    """The client's object, decoded; encoded again for the engine, so that both read the same."""
    model: str
    service_tier: str | None
    stream: bool
    wants_usage: bool
    """The client itself asked for ``stream_options.include_usage``."""
    max_tokens: int | None
    """Over all choices asked for."""
    cache_key: str | None


def read_chat(body: bytes) -> ChatRequest | Problem:
    """Check what is needed to decide and to forward; the engine checks the rest."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Problem("invalid_json", f"The body is not valid JSON: {error.msg} at character {error.pos}.")
    if not isinstance(data, dict):
        return Problem("invalid_request", "The body must be a JSON object.")
    get = data.get
    model = get("model")
    if not isinstance(model, str) or not model:
        return _wrong("model", "must be a non-empty string")
    messages = get("messages")
    if not isinstance(messages, list) or not messages:
        return _wrong("messages", "must be a non-empty array")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return _wrong("messages", "must hold objects with a role")
    stream = get("stream")
    if stream is not None and not isinstance(stream, bool):
        return _wrong("stream", "must be a boolean")
    options = get("stream_options")
    if options is not None and not isinstance(options, dict):
        return _wrong("stream_options", "must be an object")
    if options is not None and not stream:
        return _wrong("stream_options", "is only allowed when stream is true")
    tier = get("service_tier")
    if tier is not None and not isinstance(tier, str):
        return _wrong("service_tier", "must be a string")
    cache_key = get("prompt_cache_key")
    if cache_key is not None and not isinstance(cache_key, str):
        return _wrong("prompt_cache_key", "must be a string")
    limit = get("max_completion_tokens")
    if limit is None:
        limit = get("max_tokens")
    if limit is not None and (type(limit) is not int or not 1 <= limit <= MOST):
        return _wrong("max_tokens", "must be a positive integer")
    choices = get("n")
    if choices is not None and (type(choices) is not int or not 1 <= choices <= MOST):
        return _wrong("n", "must be a positive integer")
    return ChatRequest(
        body=data,
        model=model,
        service_tier=tier,
        stream=bool(stream),
        wants_usage=bool(options and options.get("include_usage")),
        max_tokens=limit * (choices or 1) if limit is not None else None,
        cache_key=cache_key,
    )


def normalised_text(body: dict[str, Any]) -> str:
    """The prompt as one string, in the order a chat template puts it: tools, then each message.

    Equal conversations give equal text whatever their JSON looked like; a longer conversation begins
    with a shorter one's text, which is what makes prefixes findable.
    """
    parts: list[str] = []
    tools = body.get("tools")
    if tools:
        parts.append(orjson.dumps(tools, option=orjson.OPT_SORT_KEYS).decode())
        parts.append("\n")
    for message in body["messages"]:
        parts.append(message["role"])
        parts.append("\n")
        content = message.get("content")
        if isinstance(content, str):
            parts.append(content)
        elif content is not None:
            for part in content if isinstance(content, list) else (content,):
                text = part.get("text") if isinstance(part, dict) else None
                parts.append(text if isinstance(text, str) else _plain(part))
        calls = message.get("tool_calls")
        if calls:
            parts.append(_plain(calls))
        parts.append("\n")
    return "".join(parts)


def estimate_tokens(text: str, encoded: bytes, messages: int) -> int:
    """Prompt tokens from lengths: UTF-8 bytes, and the characters that take more than one of them.

    A character of two to four bytes is closer to one token than its bytes alone would say.
    """
    wide = len(encoded) - len(text)
    tenths = (len(encoded) + wide // 2) * 10
    return max(1, -(-tenths // BYTES_PER_TOKEN_TENTHS)) + TOKENS_PER_MESSAGE * messages


def upstream_body(chat: ChatRequest, served_name: str) -> bytes:
    """What the engine is sent: the client's object with our members set.

    The model is called by its served name; ``service_tier`` is ours and engines differ on it, so it
    stays here; usage is asked for on every stream. Encoding what we decoded leaves no second member
    of the same name for an engine to read differently.
    """
    body = chat.body
    body["model"] = served_name
    body.pop("service_tier", None)
    body.pop("prompt_cache_key", None)
    if chat.stream and not chat.wants_usage:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return orjson.dumps(body)


def _plain(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _wrong(param: str, what: str) -> Problem:
    return Problem("invalid_request", f"{param} {what}.", param=param)
