"""What does a request to ``/v1/responses`` ask for, and which bytes answer it?

Shapes follow OpenAI's, as engines do. Nothing is stored: a ``previous_response_id`` is answered 404, as
by an engine that runs without its store.
"""

from __future__ import annotations

from typing import Any

import orjson

from simfleet.completions import Answer, BadRequest, Completion, plan, read, render_prompt


def parse_response(body: bytes | bytearray, *, model: str, context_tokens: int) -> Completion:
    """Read a request's body. Raises ``BadRequest`` with the answer it deserves."""
    asked = read(body, model)
    previous = asked.get("previous_response_id")
    if previous is not None:
        raise BadRequest(
            f"Response with id '{previous}' not found.",
            status=404,
            kind="NotFoundError",
            param="previous_response_id",
        )
    given = asked.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items:
        raise BadRequest("input must be a text or a non-empty list.", param="input")
    instructions = asked.get("instructions")
    messages = [{"role": "system", "content": instructions}] if isinstance(instructions, str) else []
    messages += [_message(item) for item in items]
    prompt = render_prompt(messages, asked.get("tools"))
    return plan(asked | {"max_completion_tokens": asked.get("max_output_tokens")}, prompt, context_tokens)


def _message(item: Any) -> dict[str, Any]:
    """A message item as a chat message; any other item as what a tool said."""
    if isinstance(item, dict) and isinstance(item.get("role"), str):
        content = item.get("content")
        if isinstance(content, list):
            content = [
                {"type": "text", "text": part.get("text")} if isinstance(part, dict) else part
                for part in content
            ]
        return {"role": item["role"], "content": content}
    return {"role": "tool", "content": orjson.dumps(item).decode()}


class ResponseAnswer(Answer):
    """Renders the bytes of one response: whole, or as server-sent events, each with its number."""

    kind = "resp"
    __slots__ = ("_sent",)

    def __init__(self, completion: Completion, *, request_id: str, model: str, created: int) -> None:
        super().__init__(completion, request_id=request_id, model=model, created=created)
        self._sent = 0

    def opening(self) -> bytes:
        item = {
            "id": self._item,
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return b"".join(
            (
                self._event("response.created", response=self._response("in_progress")),
                self._event("response.in_progress", response=self._response("in_progress")),
                self._event("response.output_item.added", output_index=0, item=item),
                self._event("response.content_part.added", **self._place, part=part),
            )
        )

    def event(self, start: int, end: int) -> bytes:
        text = self._completion.text(start, end).decode()
        return self._event("response.output_text.delta", **self._place, delta=text, logprobs=[])

    def closing(self, cached_tokens: int) -> bytes:
        item = self._message()
        (part,) = item["content"]
        response = self._response(self._status, cached_tokens)
        return b"".join(
            (
                self._event("response.output_text.done", **self._place, text=part["text"], logprobs=[]),
                self._event("response.content_part.done", **self._place, part=part),
                self._event("response.output_item.done", output_index=0, item=item),
                self._event(f"response.{self._status}", response=response),
            )
        )

    def whole(self, cached_tokens: int) -> bytes:
        return orjson.dumps(self._response(self._status, cached_tokens))

    @property
    def _item(self) -> str:
        return f"msg-{self._id}"

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    @property
    def _status(self) -> str:
        return "completed" if self._completion.work.finish == "stop" else "incomplete"

    def _event(self, kind: str, **members: Any) -> bytes:
        told = orjson.dumps({"type": kind, "sequence_number": self._sent} | members)
        self._sent += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), told)

    def _message(self) -> dict[str, Any]:
        text = self._completion.text(0, self._completion.work.output_tokens).decode()
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return {
            "id": self._item,
            "type": "message",
            "role": "assistant",
            "status": self._status,
            "content": [part],
        }

    def _response(self, status: str, cached_tokens: int | None = None) -> dict[str, Any]:
        """``cached_tokens``: known once it is over."""
        work = self._completion.work
        told = cached_tokens is not None
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._model,
            "output": [self._message()] if told else [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "service_tier": "auto",
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "usage": {
                "input_tokens": work.prompt_tokens,
                "input_tokens_details": {"cached_tokens": cached_tokens},
                "output_tokens": work.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": work.prompt_tokens + work.output_tokens,
            }
            if told
            else None,
        }
