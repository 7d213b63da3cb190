"""Pool: replicas of one model in one region, and what each of them can do."""

from __future__ import annotations

from typing import Annotated

from coordination.spec.declaration import Block
from coordination.spec.notation import Choice, Count, Items, Rate, Reference, Share, Text

ORIGIN = r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"


class Replicas(Block, frozen=True, kw_only=True):
    """Where the replicas are."""

    urls: Annotated[
        tuple[str, ...],
        Items(Text(300, ORIGIN, "an origin such as `http://replica-1.eu:8000`"), least=1, most=1000),
        "Base URLs, one for each replica, without a path.",
    ]


class Capacity(Block, frozen=True, kw_only=True):
    """What one replica can do; measured, not hoped for."""

    input: Annotated[int, Rate("tokens/min", 1), "Prompt tokens it computes when it does nothing else."]
    output: Annotated[int, Rate("tokens/min", 1), "Tokens it generates when it does nothing else."]
    sequences: Annotated[int, Count("sequences", 1), "Requests it runs at once."]
    kv_tokens: Annotated[int, Count("tokens", 1), "Tokens its KV cache holds."]


class Pool(Block, frozen=True, kw_only=True):
    """Replicas of one model in one region."""

    model: Annotated[str, Reference("Model"), "The model every replica serves."]
    region: Annotated[str, Text(63, r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "a region name"), "Where it runs."] = (
        "local"
    )
    engine: Annotated[
        str,
        Choice("vllm", "simulated", "openai"),
        "What serves the model; `openai` is any other with that API.",
    ] = "vllm"
    profile: Annotated[
        str,
        Text(100, r"[a-z0-9][a-z0-9.-]*", "a profile such as `llama-3-8b-h100-tp1`"),
        "Model and accelerator, as the capacity model knows them.",
    ]
    replicas: Annotated[Replicas, "Where the replicas are."]
    capacity: Annotated[Capacity | None, "What one replica can do."] = None
    reservable: Annotated[int, Share(), "How much of the pool reservations may promise."] = 700_000
