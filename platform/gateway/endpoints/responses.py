"""What does a request to ``/v1/responses`` say, and what is edited in its answer?

The engine's own work is passed through. Of its events only those carry the response object whose
``service_tier`` is set; usage is in the last of them, asked for or not, so nothing is left out. An
answer continued by ``previous_response_id`` is known to the engine alone: its earlier turns are not in
the estimate, and are settled by what the engine counts.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from coordination.scheduling.values import Usage
from gateway.endpoints.response_shapes import Response, decode_event, decode_response
from gateway.errors import Problem
from gateway.json_member import set_member, value_span
from gateway.prompt import (
    ModelRequest,
    Prompt,
    part_text,
    plain,
    prompt_of,
    read_members,
    read_object,
    wrong,
)
from gateway.sse import EventStream
from gateway.usage import usage_of

_TIER = b'"service_tier"'
_RESPONSE = b'"response"'
_LAST = frozenset(("response.completed", "response.incomplete", "response.failed"))


def read_response(body: bytes) -> ModelRequest | Problem:
    """Check what is needed to decide and to forward; the engine checks the rest."""
    data = read_object(body)
    if isinstance(data, Problem):
        return data
    given = data.get("input")
    if not (isinstance(given, str) and given) and not (
        isinstance(given, list) and given and all(isinstance(item, dict) for item in given)
    ):
        return wrong("input", "must be a text or a non-empty array of objects")
    if data.get("instructions") is not None and not isinstance(data["instructions"], str):
        return wrong("instructions", "must be a string")
    if data.get("background"):
        return wrong("background", "is not offered: nobody waits for what could then not be stopped")
    previous = data.get("previous_response_id")
    if previous is not None and not isinstance(previous, str):
        return wrong("previous_response_id", "must be a string")
    asked = read_members(data, "max_output_tokens")
    if not isinstance(asked, Problem) and previous and not asked.cache_key:
        asked.cache_key = previous
    return asked


def response_prompt(body: dict[str, Any]) -> Prompt:
    """Of such a request's body: tools, instructions, then each item, as engines render them."""
    parts: list[str] = []
    if body.get("tools"):
        parts += [plain(body["tools"]), "\n"]
    if body.get("instructions"):
        parts += ["system\n", body["instructions"], "\n"]
    given = body["input"]
    if isinstance(given, str):
        return prompt_of("".join([*parts, "user\n", given, "\n"]), 2)
    for item in given:
        content = item.get("content")
        if isinstance(content, str):
            parts += [str(item.get("role")), "\n", content, "\n"]
        elif isinstance(content, list):
            parts += [str(item.get("role")), "\n", *map(part_text, content), "\n"]
        else:
            parts += [plain(item), "\n"]
    return prompt_of("".join(parts), len(given) + 1)


def read_response_usage(answer: bytes) -> Usage | None:
    """The usage in a response; ``None`` for what has none, whatever it is."""
    try:
        return _usage(decode_response(answer))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class ResponseEvents(EventStream):
    """The editor of one streamed response."""

    limit = 1024 * 1024
    """The last event repeats the whole answer, and is the one that holds the usage."""

    __slots__ = ("_sent",)

    def __init__(self, tier: str, *, strip_usage: bool) -> None:  # noqa: ARG002 - nothing is asked for
        super().__init__(tier, strip_usage=False)
        self._sent = 0

    def failure(self, problem: Problem) -> bytes:
        told = orjson.loads(problem.body())["error"]
        event = {
            "type": "error",
            "code": told["code"],
            "message": told["message"],
            "param": None,
            "sequence_number": self._sent,
            "error": told,
        }
        return b"%bevent: error\ndata: %b\n\n" % (self._ends_event(), orjson.dumps(event))

    def _edit(self, event: bytes) -> bytes:
        self._sent += 1
        start = event.find(b"data:")
        if start < 0 or (start and event[start - 1 : start] != b"\n"):
            return event
        close = event.rfind(b"}")
        if close < 0 or event.find(b"\n", start, close) >= 0 or event[close + 1 :].strip():
            return event
        if event.find(_RESPONSE) < 0:
            self.tokens += event.find(b'.delta"') >= 0
            return event
        payload = event[start + 5 : close + 1]
        try:
            found = decode_event(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return event
        if found.response is None:
            return event
        self.usage = _usage(found.response) or self.usage
        self.done = self.done or found.type in _LAST
        span = value_span(payload, _RESPONSE)
        if span is None:
            return event
        response = payload[span[0] : span[1]]
        edited = set_member(response, response.rfind(b"}"), _TIER, self._tier)
        at = start + 5
        return event[: at + span[0]] + edited + event[at + span[1] :]


def _usage(response: Response) -> Usage | None:
    usage = response.usage
    if usage is None:
        return None
    return usage_of(
        usage.input_tokens, usage.output_tokens, usage.input_tokens_details, usage.output_tokens_details
    )
