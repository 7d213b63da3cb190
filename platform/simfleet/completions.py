"""What does a chat request ask for, and which bytes answer it? Also what all other endpoints share.

Shapes follow vLLM's OpenAI server. The length of an answer is the simulated model's own
(``outputs.natural_length``) unless the request says otherwise, as with vLLM: ``max_tokens`` /
``max_completion_tokens`` cut it (``finish_reason: length``), ``min_tokens`` stretches it, and
``ignore_eos: true`` makes it exactly the maximum, which is how a replay demands a length.
``stop``, sampling parameters and ``response_format`` are accepted and change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from simfleet import outputs
from simfleet.engine import Work
from simfleet.tokens import BLOCK_TOKENS, count, tokenize

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class BadRequest(Exception):
    """The request cannot be served as asked; carries the HTTP answer."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "BadRequestError", param: str | None = None
    ):
        super().__init__(message)
        self.status = status
        self.body = error_body(message, status=status, kind=kind, param=param)


@dataclass(frozen=True, slots=True)
class Completion:
    """A request understood: the work for the engine and how its answer is to look."""

    work: Work
    drawn: bytes
    stream: bool
    include_usage: bool
    pooled: bool = False
    """Only the prompt is worked on: the one token the engine makes of it is nobody's output."""

    @property
    def output_tokens(self) -> int:
        """As the usage says."""
        return 0 if self.pooled else self.work.output_tokens

    def text(self, start: int, end: int) -> bytes:
        """Output tokens ``start`` to ``end`` as text."""
        return outputs.render(self.drawn[start:end])


def error_body(message: str, *, status: int, kind: str, param: str | None = None) -> bytes:
    """An error as vLLM words it."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": status}})


def parse(body: bytes | bytearray, *, model: str, context_tokens: int) -> Completion:
    """Read a chat request's body. Raises ``BadRequest`` with the answer it deserves."""
    asked = read(body, model)
    prompt = render_prompt(asked.get("messages"), asked.get("tools"))
    return plan(asked, prompt, context_tokens)


def read(body: bytes | bytearray, model: str) -> dict[str, Any]:
    """What every request has. Raises ``BadRequest``."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from None
    if not isinstance(asked, dict):
        raise BadRequest("The request body must be a JSON object.")
    if asked.get("model") != model:
        raise BadRequest(
            f"The model `{asked.get('model')}` does not exist.",
            status=404,
            kind="NotFoundError",
            param="model",
        )
    if asked.get("n") not in (None, 1):
        raise BadRequest("Only n = 1 is served.", param="n")
    return asked


def render_prompt(messages: Any, tools: Any = None) -> bytes:
    """The text a model would see: each message between marks, then the mark that asks for an answer."""
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages must be a non-empty list.", param="messages")
    parts = [b"<|begin|>"]
    if tools:
        parts += [b"<|tools|>", orjson.dumps(tools), b"<|end|>"]
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            raise BadRequest(f"messages[{index}] has no known role.", param="messages")
        parts += [b"<|", role.encode(), b"|>", _content(message, index), b"<|end|>"]
    parts.append(b"<|assistant|>")
    return b"".join(parts)


def _content(message: dict[str, Any], index: int) -> bytes:
    content = message.get("content")
    calls = message.get("tool_calls")
    called = orjson.dumps(calls) if calls else b""
    try:
        if isinstance(content, str):
            return content.encode() + called
        if isinstance(content, list):
            texts = [part["text"] for part in content if part["type"] == "text"]
            return "".join(texts).encode() + called
    except (KeyError, TypeError, UnicodeEncodeError):
        raise BadRequest(f"messages[{index}].content cannot be read as text.", param="messages") from None
    if content is None and (called or message["role"] == "assistant"):
        return called
    raise BadRequest(f"messages[{index}].content must be a string or a list of parts.", param="messages")


def plan(asked: dict[str, Any], prompt: bytes, context_tokens: int) -> Completion:
    """The work a prompt makes, under the lengths asked for. Raises ``BadRequest``."""
    limit = _integer(asked, "max_completion_tokens", 1)
    if limit is None:
        limit = _integer(asked, "max_tokens", 1)
    least = _integer(asked, "min_tokens", 0) or 0
    seed = _integer(asked, "seed", None) or 0
    prompt_tokens = count(prompt)
    if prompt_tokens + (limit or 1) > context_tokens:
        wanted = f"{prompt_tokens} in the messages" + (f", {limit} in the completion" if limit else "")
        raise BadRequest(
            f"This model's maximum context length is {context_tokens} tokens. However, you requested "
            f"{prompt_tokens + (limit or 1)} tokens ({wanted}). Please reduce the length of the messages "
            "or completion.",
            param="messages",
        )
    most = limit or context_tokens - prompt_tokens
    if least > most:
        raise BadRequest(f"min_tokens must be at most max_tokens ({most}), got {least}.", param="min_tokens")
    demanded = bool(asked.get("ignore_eos")) and limit is not None
    natural = most if demanded else max(least, outputs.natural_length(prompt, seed))
    length = min(natural, most)
    drawn = outputs.draw(prompt, seed, length)
    # Blocks run on into the answer: the next turn of a conversation finds them cached.
    blocks = tokenize(prompt + outputs.render(drawn)).blocks if prompt_tokens + length >= BLOCK_TOKENS else ()
    options = asked.get("stream_options")
    return Completion(
        work=Work(
            prompt_tokens=prompt_tokens,
            output_tokens=length,
            finish="stop" if natural <= most and not demanded else "length",
            blocks=blocks,
        ),
        drawn=drawn,
        stream=bool(asked.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
    )


def _integer(asked: dict[str, Any], name: str, least: int | None) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest(f"{name} must be an integer.", param=name)
    if least is not None and value < least:
        raise BadRequest(f"{name} must be at least {least}, got {value}.", param=name)
    return value


def usage(prompt_tokens: int, cached_tokens: int, output_tokens: int) -> dict[str, Any]:
    """The ``usage`` member, exact."""
    return {
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + output_tokens,
        "completion_tokens": output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }


class Answer:
    """Renders the bytes of one answer to a chat request: whole, or as server-sent events."""

    kind: ClassVar[str] = "chatcmpl"
    """What its id begins with."""
    chunk: ClassVar[str] = "chat.completion.chunk"
    """What its events call themselves."""

    __slots__ = ("_completion", "_created", "_id", "_model", "_prefix")

    def __init__(self, completion: Completion, *, request_id: str, model: str, created: int) -> None:
        self._completion = completion
        self._id = f"{self.kind}-{request_id}"
        self._model = model
        self._created = created
        head = {"id": self._id, "object": self.chunk, "created": created, "model": model}
        self._prefix = b"data: " + orjson.dumps(head)[:-1] + b',"choices":['

    def opening(self) -> bytes:
        """The event that only names the role."""
        return self._prefix + (
            b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        )

    def event(self, start: int, end: int) -> bytes:
        """Output tokens ``start`` to ``end``; the last of an answer carries the finish reason."""
        work = self._completion.work
        text = self._completion.text(start, end)  # plain ASCII words: nothing to escape
        if end < work.output_tokens:
            reason = b"null"
        else:
            reason = b'"%s","stop_reason":null' % work.finish.encode()
        return (b'%s{"index":0,"delta":{"content":"%s"},"logprobs":null,"finish_reason":%s}]}\n\n') % (
            self._prefix,
            text,
            reason,
        )

    def closing(self, cached_tokens: int) -> bytes:
        """The usage event if asked for, and the end mark."""
        done = b"data: [DONE]\n\n"
        if not self._completion.include_usage:
            return done
        work = self._completion.work
        told = orjson.dumps(usage(work.prompt_tokens, cached_tokens, work.output_tokens))
        return b'%s],"usage":%s}\n\n%s' % (self._prefix, told, done)

    def whole(self, cached_tokens: int) -> bytes:
        """The body of an answer that is not streamed."""
        work = self._completion.work
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self._completion.text(0, work.output_tokens).decode(),
            "refusal": None,
            "tool_calls": [],
        }
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": work.finish,
            "stop_reason": None,
        }
        return orjson.dumps(
            {
                "id": self._id,
                "object": "chat.completion",
                "created": self._created,
                "model": self._model,
                "choices": [choice],
                "service_tier": None,
                "system_fingerprint": None,
                "usage": usage(work.prompt_tokens, cached_tokens, work.output_tokens),
            }
        )
