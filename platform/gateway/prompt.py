"""What does a chat request say about itself? Checked members, normalised text, a token estimate.

The text exists only while the request is read: it is hashed in blocks, its length is estimated, and
it is dropped. The estimate is the gateway's own, from the bytes alone, so that settlement against
the engine's count is real work.
"""

from __future__ import annotations

from typing import Any

import orjson
import xxhash

from gateway.errors import Problem

MOST = 1 << 31
"""Of anything a client may ask for a number of."""
TOKENS_PER_MESSAGE = 4
"""Role and separators of a chat template."""
BYTES_PER_TOKEN_TENTHS = 38
"""English prose and code run at 3.5 to 4.2 bytes a token in today's vocabularies."""


_SELDOM = frozenset({"stream_options", "service_tier", "prompt_cache_key", "n"})
"""Members that most requests do without."""
TOKENS_PER_MEDIUM = 512
"""An image, a recording or a file in a prompt: engines make 85 to 3,000 tokens of one."""
_MEDIUM = "\0medium "
"""What stands in the normalised text in front of the hash of one."""


class Prompt:
    """The prompt as the rules need it."""

    __slots__ = ("longest", "text", "tokens")

    def __init__(self, text: bytes, tokens: int, longest: int) -> None:
        self.text = text
        """Normalised; hashed in blocks, then dropped."""
        self.tokens = tokens
        """Estimated."""
        self.longest = longest
        """Of a request with several prompts the longest one's; it alone must fit into the context."""


class ModelRequest:
    """A request to a model as far as the gateway reads it."""

    __slots__ = (
        "answers",
        "body",
        "cache_key",
        "max_tokens",
        "model",
        "service_tier",
        "stream",
        "wants_usage",
    )

    def __init__(
        self,
        body: dict[str, Any],
        model: str,
        service_tier: str | None,
        stream: bool,
        wants_usage: bool,
        max_tokens: int | None,
        answers: int,
        cache_key: str | None,
    ) -> None:
        self.body = body
        """The client's object, decoded; encoded again for the engine, so that both read the same."""
        self.model = model
        self.service_tier = service_tier
        self.stream = stream
        self.wants_usage = wants_usage
        """The client itself asked for ``stream_options.include_usage``."""
        self.max_tokens = max_tokens
        """Over all choices asked for."""
        self.answers = answers
        """How many are made; each prompt is answered as often as ``n`` says."""
        self.cache_key = cache_key
        """What the client calls the conversation: ``prompt_cache_key``, else ``previous_response_id``."""


def read_object(body: bytes) -> dict[str, Any] | Problem:
    """The object a body holds."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Problem("invalid_json", f"The body is not valid JSON: {error.msg} at character {error.pos}.")
    return data if isinstance(data, dict) else Problem("invalid_request", "The body must be a JSON object.")


def read_chat(body: bytes) -> ModelRequest | Problem:
    """Check what is needed to decide and to forward; the engine checks the rest."""
    data = read_object(body)
    if isinstance(data, Problem):
        return data
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        return wrong("messages", "must be a non-empty array")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return wrong("messages", "must hold objects with a role")
    return read_members(data, "max_completion_tokens", "max_tokens")


def read_members(data: dict[str, Any], *limits: str, prompts: int = 1) -> ModelRequest | Problem:
    """Check the members that every endpoint has.

    ``limits``: names of the one that bounds the output of an answer, the first present counts; without
    any the endpoint has no output. ``prompts``: how many the request holds, each answered by itself.
    """
    get = data.get
    model = get("model")
    if not isinstance(model, str) or not model:
        return wrong("model", "must be a non-empty string")
    stream = get("stream")
    if stream is not None and not isinstance(stream, bool):
        return wrong("stream", "must be a boolean")
    tier = cache_key = choices = None
    wants_usage = False
    if not _SELDOM.isdisjoint(data):
        options = get("stream_options")
        if options is not None and not isinstance(options, dict):
            return wrong("stream_options", "must be an object")
        if options is not None and not stream:
            return wrong("stream_options", "is only allowed when stream is true")
        tier = get("service_tier")
        if tier is not None and not isinstance(tier, str):
            return wrong("service_tier", "must be a string")
        cache_key = get("prompt_cache_key")
        if cache_key is not None and not isinstance(cache_key, str):
            return wrong("prompt_cache_key", "must be a string")
        wants_usage = bool(options and options.get("include_usage"))
        choices = get("n")
    limit: Any = None if limits else 0  # a client may have written anything
    for name in limits:
        limit = get(name)
        if limit is not None:
            if type(limit) is not int or not 1 <= limit <= MOST:
                return wrong(name, "must be a positive integer")
            break
    if choices is not None and (type(choices) is not int or not 1 <= choices <= MOST):
        return wrong("n", "must be a positive integer")
    answers = (choices or 1) * prompts
    most = limit * answers if limit is not None else None
    return ModelRequest(data, model, tier, bool(stream), wants_usage, most, answers, cache_key)


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
        content, calls = message.get("content"), message.get("tool_calls")
        if isinstance(content, str) and not calls:  # as nearly always
            parts.append(f"{message['role']}\n{content}\n")
            continue
        parts.append(f"{message['role']}\n")
        if isinstance(content, str):
            parts.append(content)
        elif content is not None:
            parts += [part_text(part) for part in (content if isinstance(content, list) else (content,))]
        if calls:
            parts.append(plain(calls))
        parts.append("\n")
    return parts[0] if len(parts) == 1 else "".join(parts)


def part_text(part: object) -> str:
    """One part of a message: its text, or a name for what is none, equal for equal images and sounds.

    Of those the encoding says nothing about the tokens: a picture of a megabyte is not 250,000.
    """
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else f"{_MEDIUM}{xxhash.xxh3_64_hexdigest(plain(part).encode())}"


def chat_prompt(body: dict[str, Any]) -> Prompt:
    """Of a chat request's body."""
    return prompt_of(normalised_text(body), len(body["messages"]))


def prompt_of(text: str, messages: int) -> Prompt:
    """Of a normalised text that stands for so many messages."""
    encoded = text.encode()
    tokens = estimate_tokens(text, encoded, messages)
    if "\0" in text:  # as hardly ever; one character is found much quicker than a word
        tokens += TOKENS_PER_MEDIUM * text.count(_MEDIUM)
    return Prompt(encoded, tokens, tokens)


def estimate_tokens(text: str, encoded: bytes, messages: int) -> int:
    """Prompt tokens from lengths: UTF-8 bytes, and the characters that take more than one of them.

    A character of two to four bytes is closer to one token than its bytes alone would say.
    """
    size = len(encoded)
    tenths = (size + (size - len(text)) // 2) * 10
    return (-(-tenths // BYTES_PER_TOKEN_TENTHS) or 1) + TOKENS_PER_MESSAGE * messages


def upstream_body(asked: ModelRequest, served_name: str, *, ask_usage: bool = True) -> bytes:
    """What the engine is sent: the client's object with our members set.

    The model is called by its served name; ``service_tier`` is ours and engines differ on it, so it
    stays here; usage is asked for on every stream, unless the endpoint's tell it unasked. Encoding what
    we decoded leaves no second member of the same name for an engine to read differently.
    """
    body = asked.body
    body["model"] = served_name
    body.pop("service_tier", None)
    body.pop("prompt_cache_key", None)
    if ask_usage and asked.stream and not asked.wants_usage:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return orjson.dumps(body)


def plain(value: object) -> str:
    """JSON whose bytes do not depend on the order of keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def wrong(param: str, what: str) -> Problem:
    """A member makes no sense."""
    return Problem("invalid_request", f"{param} {what}.", param=param)
