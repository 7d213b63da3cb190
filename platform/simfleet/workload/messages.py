"""What bytes ask for one completion? Built without a JSON encoder: prompts are plain ASCII words."""

from __future__ import annotations

import msgspec

_text = msgspec.json.Encoder().encode


def completion_body(
    model: str,
    prompt: bytes,
    output_tokens: int,
    *,
    exact_output: bool,
    service_tier: str | None = None,
) -> bytes:
    """A streamed chat completion of one user message. ``prompt`` must need no JSON escapes.

    ``exact_output`` asks with ``ignore_eos`` and ``min_tokens`` (vLLM and the simulated fleet know
    them) for an answer of just that length; otherwise it is an upper bound.
    """
    parts = [
        b'{"model":' + _text(model),
        b',"stream":true,"stream_options":{"include_usage":true},"max_tokens":%d' % output_tokens,
    ]
    if exact_output:
        parts.append(b',"ignore_eos":true,"min_tokens":%d' % output_tokens)
    if service_tier is not None:
        parts.append(b',"service_tier":' + _text(service_tier))
    parts += [b',"messages":[{"role":"user","content":"', prompt, b'"}]}']
    return b"".join(parts)
