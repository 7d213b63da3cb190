"""How many tokens did the engine say it worked on? Read from an OpenAI ``usage`` object."""

from __future__ import annotations

from typing import Any

from coordination.scheduling.values import Usage


def read_usage(usage: dict[str, Any]) -> Usage | None:
    """Disjoint token classes; ``None`` if the object does not hold plain counts.

    Cached tokens stand in ``prompt_tokens_details.cached_tokens`` and are part of ``prompt_tokens``.
    """
    prompt = usage.get("prompt_tokens")
    output = usage.get("completion_tokens", 0)
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    if cached is None:
        cached = 0
    for count in (prompt, output, cached):
        if type(count) is not int or count < 0:
            return None
    assert isinstance(prompt, int)  # noqa: S101 - the loop above has seen it
    cached = min(cached, prompt)
    return Usage(uncached_input=prompt - cached, cached_input=cached, output=output)
