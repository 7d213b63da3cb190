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
    cached = (details.get("cached_tokens") or 0) if isinstance(details, dict) else 0
    if type(prompt) is not int or type(output) is not int or type(cached) is not int:
        return None
    if prompt < 0 or output < 0 or cached < 0:
        return None
    cached = min(cached, prompt)
    return Usage(prompt - cached, cached, output)
