"""Model: what clients ask for by name, and what a token of it weighs."""

from typing import Annotated

from coordination.spec.declaration import Block
from coordination.spec.notation import Count, Factor, Items, Text

MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._:/@-]*"
WHAT = "a model name as clients send it, such as `llama-3.1-70b`"


class ModelCost(Block, frozen=True, kw_only=True):
    """What a token of each class weighs in the fair sharing between tenants (R5)."""

    uncached_input: Annotated[int, Factor(), "Weight of a prompt token that must be computed."] = 1_000_000
    cached_input: Annotated[int, Factor(), "Weight of a prompt token found in the prefix cache."] = 100_000
    output: Annotated[int, Factor(), "Weight of a generated token."] = 4_000_000


class Model(Block, frozen=True, kw_only=True):
    """A model that clients can ask for."""

    served_name: Annotated[
        str | None, Text(200, MODEL_NAME, WHAT), "The exact name clients send; by default the object's name."
    ] = None
    aliases: Annotated[
        tuple[str, ...], Items(Text(200, MODEL_NAME, WHAT), most=100), "Other names clients may send."
    ] = ()
    context_window: Annotated[int, Count("tokens", 1), "Most tokens of prompt and answer together."]
    max_output: Annotated[
        int | None, Count("tokens", 1), "Most tokens of an answer; by default the context window."
    ] = None
    adapters: Annotated[
        tuple[str, ...],
        Items(Text(200, MODEL_NAME, WHAT), most=1000),
        "LoRA adapters that replicas load on demand; clients ask for one by its name.",
    ] = ()
    cost: Annotated[ModelCost, "Relative weights of the token classes."] = ModelCost()
