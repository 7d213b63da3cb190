"""Which run and session does a request say it belongs to, and what did its agent call last?

Read only where the policy counts runs. A run is named by ``x-run-id``, a step of it by ``x-run-step``; the
last call is the newest tool call in the messages, by its name and arguments: a growing context does not hide
that it is the same again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import xxhash

from coordination.scheduling.traits import Task
from gateway.downstream.request import HttpRequest
from gateway.errors import Problem
from gateway.prompt import ModelRequest

LONGEST_NAME = 256
"""Characters of a client's own names that are kept."""
RUN, STEP, SESSION = b"x-run-id", b"x-run-step", b"x-session-id"


def run_of(http: HttpRequest) -> str:
    """As the client calls it; empty outside a run."""
    return http.headers.get(RUN, b"")[:LONGEST_NAME].decode("latin-1")


def session_of(http: HttpRequest, asked: ModelRequest) -> str:
    """As the client calls it, or its ``prompt_cache_key`` or ``previous_response_id``; empty without one."""
    named = http.headers.get(SESSION)
    if named:
        return named[:LONGEST_NAME].decode("latin-1")
    return (asked.cache_key or "")[:LONGEST_NAME]


def task_of(http: HttpRequest, asked: ModelRequest) -> Task | Problem | None:
    """None: it names neither run nor session."""
    run, session = run_of(http), session_of(http, asked)
    step = http.headers.get(STEP)
    if step is not None and not (step.isdigit() and len(step) <= 9 and run):
        return Problem("invalid_request", "x-run-step must be a whole number, beside an x-run-id.")
    if not run and not session:
        return None
    return Task(run, session, int(step or 0), last_call(asked.body) if run else 0)


def last_call(body: dict[str, Any]) -> int:
    """Digest of the newest tool call, or of the newest turn's calls when it made several; 0: none."""
    messages, items = body.get("messages"), body.get("input")
    if isinstance(messages, list):
        calls = next((list(_chat_calls(one)) for one in reversed(messages) if _is_answer(one)), [])
    elif isinstance(items, list):
        calls = _response_calls(items)
    else:
        calls = []
    return xxhash.xxh3_64_intdigest(orjson.dumps(calls)) or 1 if calls else 0


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"


def _chat_calls(message: dict[str, Any]) -> Iterable[tuple[str, str]]:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield str(function.get("name")), str(function.get("arguments"))


def _response_calls(items: list[Any]) -> list[tuple[str, str]]:
    """Of the Responses API: the calls after the newest but one of what was not a call or its output."""
    found: list[tuple[str, str]] = []
    for item in reversed(items):
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "function_call":
            found.append((str(item.get("name")), str(item.get("arguments"))))
        elif found or kind != "function_call_output":
            break
    return found[::-1]
