"""What do plain prompts ask for, and which bytes answer them? Completions, and embeddings of texts.

Shapes follow vLLM's OpenAI server. Prompts are texts: the fleet's tokeniser has no ids. Of a completion
one prompt is served; of embeddings several are worked on as one sequence, and so must fit together. A
vector is drawn from the text's hash and has length one: equal texts are at no distance, others about
equally far.
"""

from __future__ import annotations

import base64
import hashlib
import math
from array import array
from dataclasses import dataclass
from typing import Any

import orjson

from simfleet.completions import Answer, BadRequest, Completion, plan, read, usage

DEFAULT_TOKENS = 16
"""Length of a completion nobody gave a length."""
DIMENSIONS = 256


def parse_text(body: bytes | bytearray, *, model: str, context_tokens: int) -> Completion:
    """Read a completion request's body. Raises ``BadRequest`` with the answer it deserves."""
    asked = read(body, model)
    prompt = asked.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        (prompt,) = prompt
    if not isinstance(prompt, str) or not prompt:
        raise BadRequest("prompt must be one non-empty text.", param="prompt")
    if asked.get("max_tokens") is None:
        asked["max_tokens"] = DEFAULT_TOKENS
    return plan(asked, _encoded(prompt, "prompt"), context_tokens)


class TextAnswer(Answer):
    """Renders the bytes of one completion."""

    kind = "cmpl"
    chunk = "text_completion"
    __slots__ = ()

    def opening(self) -> bytes:
        return b""

    def event(self, start: int, end: int) -> bytes:
        work = self._completion.work
        reason = b"null" if end < work.output_tokens else b'"%s"' % work.finish.encode()
        return b'%s{"index":0,"text":"%s","logprobs":null,"finish_reason":%s}]}\n\n' % (
            self._prefix,
            self._completion.text(start, end),  # plain ASCII words: nothing to escape
            reason,
        )

    def whole(self, cached_tokens: int) -> bytes:
        work = self._completion.work
        choice = {
            "index": 0,
            "text": self._completion.text(0, work.output_tokens).decode(),
            "logprobs": None,
            "finish_reason": work.finish,
        }
        return orjson.dumps(
            {
                "id": self._id,
                "object": "text_completion",
                "created": self._created,
                "model": self._model,
                "choices": [choice],
                "usage": usage(work.prompt_tokens, cached_tokens, work.output_tokens),
            }
        )


@dataclass(frozen=True, slots=True)
class Embedding(Completion):
    """An embedding request understood: the texts, and how their vectors are to look."""

    texts: tuple[bytes, ...] = ()
    dimensions: int = DIMENSIONS
    base64: bool = False


def parse_embedding(body: bytes | bytearray, *, model: str, context_tokens: int) -> Embedding:
    """Read an embedding request's body. Raises ``BadRequest`` with the answer it deserves."""
    asked = read(body, model)
    given: Any = asked.get("input")
    texts: list[Any] = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(one, str) and one for one in texts):
        raise BadRequest("input must be a non-empty text or an array of them.", param="input")
    dimensions = asked.get("dimensions") or DIMENSIONS
    if type(dimensions) is not int or not 1 <= dimensions <= 4096:
        raise BadRequest("dimensions must be an integer from 1 to 4096.", param="dimensions")
    kind = asked.get("encoding_format") or "float"
    if kind not in ("float", "base64"):
        raise BadRequest("encoding_format must be float or base64.", param="encoding_format")
    encoded = tuple(_encoded(one, "input") for one in texts)
    planned = plan({"max_tokens": 1}, b"\n".join(encoded), context_tokens)
    return Embedding(
        work=planned.work,
        drawn=b"",
        stream=False,
        include_usage=False,
        pooled=True,
        texts=encoded,
        dimensions=dimensions,
        base64=kind == "base64",
    )


class EmbeddingAnswer(Answer):
    """Renders the vectors of one request."""

    kind = "embd"
    __slots__ = ()

    def whole(self, cached_tokens: int) -> bytes:
        asked = self._completion
        assert isinstance(asked, Embedding)  # noqa: S101 - made by ``parse_embedding``
        data = []
        for index, text in enumerate(asked.texts):
            vector = vector_of(text, asked.dimensions)
            shown: Any = base64.b64encode(vector.tobytes()).decode() if asked.base64 else vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": shown})
        told = usage(asked.work.prompt_tokens, cached_tokens, 0)
        return orjson.dumps(
            {
                "id": self._id,
                "object": "list",
                "created": self._created,
                "model": self._model,
                "data": data,
                "usage": told,
            }
        )


def vector_of(text: bytes, dimensions: int) -> array[float]:
    """A direction drawn from a text's hash, as 32-bit floats."""
    drawn = hashlib.shake_128(text).digest(dimensions)
    raw = [byte - 127.5 for byte in drawn]
    length = math.sqrt(math.fsum(one * one for one in raw))
    return array("f", [one / length for one in raw])


def _encoded(text: str, param: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"{param} cannot be read as text.", param=param) from None
