"""What did the server answer, and when did the first token come? Read from the bytes as they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

MAX_PLAIN_BODY = 16 * 1024 * 1024
"""Longest body held whole (answers that are not streamed, and errors)."""


@dataclass(slots=True)
class Answer:
    """One HTTP answer. Instants are seconds on the event loop's clock."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    complete: bool = False
    """A streamed answer ended with ``[DONE]``, another with its whole body."""
    code: str | None = None
    """``error.code``, of an error answer or of an error event inside a stream."""
    fault: str | None = None
    """What was wrong with the answer itself, if it was no well-formed one."""
    texts: list[str] = field(default_factory=list)
    """The generated text, piece by piece as it came."""
    events: int = 0
    first_token_at: float | None = None
    ended_at: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    models: list[str] = field(default_factory=list)
    """Names, of an answer that lists models."""


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None


class _Model(msgspec.Struct):
    id: str


class _Error(msgspec.Struct):
    code: str | int | None = None


class _Body(msgspec.Struct):
    """What is read of a chunk or of a whole answer; all other members are skipped."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | None = None
    data: list[_Model] = []


_decode = msgspec.json.Decoder(_Body).decode


class AnswerReader:
    """Feeds on body bytes and builds the answer."""

    __slots__ = ("_held", "_streamed", "answer")

    def __init__(self) -> None:
        self.answer = Answer()
        self._held = b""
        self._streamed = False

    def head(self, status: int, headers: dict[str, str]) -> None:
        """The status line and headers are in."""
        self.answer.status = status
        self.answer.headers = headers
        self._streamed = headers.get("content-type", "").startswith("text/event-stream")

    def feed(self, data: bytes, now: float) -> None:
        """Body bytes that arrived at ``now``."""
        held = self._held + data if self._held else data
        if not self._streamed:
            if len(held) > MAX_PLAIN_BODY:
                self.answer.fault = "an answer of more than 16 MiB"
                held = b""
            self._held = held
            return
        if b"\r" in held:  # some servers end lines with CRLF; JSON holds no bare CR
            held = held.replace(b"\r\n", b"\n")
        start = 0
        while (end := held.find(b"\n\n", start)) >= 0:
            self._event(held[start:end], now)
            start = end + 2
        self._held = held[start:]

    def finish(self, now: float) -> Answer:
        """The body is whole."""
        answer = self.answer
        answer.ended_at = now
        if not self._streamed:
            self._take(self._held, now)
            answer.complete = answer.fault is None
        elif answer.code is None and not answer.complete:
            answer.fault = answer.fault or "the stream ended without [DONE]"
        return answer

    def _event(self, event: bytes, now: float) -> None:
        if not event.startswith(b"data:"):
            return  # a comment (keep-alive) or another field
        payload = event[5:].lstrip()
        if payload == b"[DONE]":
            self.answer.complete = True
        else:
            self.answer.events += 1
            self._take(payload, now)

    def _take(self, payload: bytes, now: float) -> None:
        answer = self.answer
        try:
            body = _decode(payload)
        except msgspec.DecodeError as problem:
            answer.fault = answer.fault or f"not a completion: {problem}"
            return
        for choice in body.choices:
            message = choice.delta or choice.message
            if message is not None and message.content:
                if answer.first_token_at is None:
                    answer.first_token_at = now
                answer.texts.append(message.content)
        if body.usage is not None:
            answer.prompt_tokens = body.usage.prompt_tokens
            answer.output_tokens = body.usage.completion_tokens
            details = body.usage.prompt_tokens_details
            answer.cached_tokens = (details.cached_tokens or 0) if details else 0
        answer.models += [model.id for model in body.data]
        if body.error is not None:
            answer.code = str(body.error.code) if body.error.code is not None else "no_code"
